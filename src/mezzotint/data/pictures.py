"""From an encoded file to a picture of the wanted size: decoding with limits, and placing a cut-out on a background."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor

from mezzotint.errors import FileFormatError, MissingFileError

MAX_PIXELS = 1 << 26  # 8192 x 8192; a file that claims more is refused before it is decoded
_CONTRAST = 100.0  # least distance of a background from a cut-out's mean colour, of at most 442
_FORMATS = ("PNG", "WEBP", "JPEG")


class Colour(NamedTuple):
    """A background with a name that a caption can say."""

    en: str
    zh: str
    rgb: tuple[int, int, int]


WHITE = Colour("white", "白色", (255, 255, 255))
COLOURS = (
    Colour("red", "红色", (226, 61, 57)),
    Colour("orange", "橙色", (245, 149, 46)),
    Colour("yellow", "黄色", (250, 214, 66)),
    Colour("green", "绿色", (87, 171, 90)),
    Colour("light blue", "浅蓝色", (160, 210, 240)),
    Colour("blue", "蓝色", (52, 104, 200)),
    Colour("purple", "紫色", (134, 84, 180)),
    Colour("pink", "粉色", (247, 172, 200)),
    Colour("brown", "棕色", (133, 89, 58)),
    Colour("gray", "灰色", (150, 150, 150)),
    Colour("black", "黑色", (16, 16, 16)),
)


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How a picture stands on its canvas.

    `scale` 1 fills it: a cut-out then just fits inside, an opaque picture just covers it (and is never scaled to less).
    `anchor` shares out the free or surplus room: (0, 0) is the upper left corner, (0.5, 0.5) the middle.
    """

    scale: float
    anchor: tuple[float, float]
    background: Colour


def read_picture(path: Path) -> Image.Image:
    """The picture of a file, likewise. Raises MissingFileError and FileFormatError."""
    try:
        data = io.BytesIO(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingFileError(f"picture {path} is missing") from error
    except OSError as error:
        raise FileFormatError(f"picture {path} cannot be read: {error.strerror}") from error
    return decode_bytes(data, f"picture {path}", "give a whole PNG, WebP or JPEG")


def decode_bytes(data: io.BytesIO, what: str, remedy: str) -> Image.Image:
    """A picture file, upright, as "RGBA" when it has transparency and as "RGB" otherwise.

    Raises FileFormatError, naming `what` it is and a `remedy`: it is broken, of another format or too large.
    """
    try:
        # Pillow warns of pictures that are larger than the limit here, which says so itself.
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            file = Image.open(data, formats=_FORMATS)
        with file:
            if file.width * file.height > MAX_PIXELS:
                raise FileFormatError(f"{what} claims {file.width}x{file.height} pixels: at most {MAX_PIXELS} are read")
            picture = ImageOps.exif_transpose(file)
            return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    except FileFormatError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Warning) as error:
        raise FileFormatError(f"{what} cannot be decoded ({type(error).__name__}): {remedy}") from error


def contrasting_colours(picture: Image.Image) -> list[Colour]:
    """The named colours on which a cut-out ("RGBA") can be seen: far enough from its mean colour, in RGB."""
    red, green, blue, alpha = np.asarray(picture.resize((16, 16), Image.Resampling.BOX), np.float64).reshape(-1, 4).T
    mean = np.average([red, green, blue], axis=1, weights=alpha + 1e-9)
    return [colour for colour in COLOURS if np.linalg.norm(mean - colour.rgb) >= _CONTRAST]


def shrink(picture: Image.Image, side: int) -> Image.Image:
    """Scale down to what a canvas of side x side will need at most; a smaller picture stays as it is."""
    long_or_short = max(picture.size) if picture.mode == "RGBA" else min(picture.size)
    if long_or_short <= side:
        return picture
    width, height = (max(1, round(length * side / long_or_short)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.HAMMING)  # half the time of Lanczos, hardly softer


def place(picture: Image.Image, width: int, height: int, placement: Placement) -> Image.Image:
    """An "RGB" picture of width x height pixels: a cut-out on its background, or what covers the canvas of another."""
    if picture.mode == "RGBA":
        return _on_background(picture, width, height, placement)
    scale = max(width / picture.width, height / picture.height) * max(placement.scale, 1.0)
    # The part of the source that is seen; the rounding of a division must not step over its edge.
    part_width, part_height = min(width / scale, picture.width), min(height / scale, picture.height)
    left = (picture.width - part_width) * placement.anchor[0]
    top = (picture.height - part_height) * placement.anchor[1]
    box = (left, top, min(left + part_width, picture.width), min(top + part_height, picture.height))
    if picture.size == (width, height) and box == (0, 0, width, height):
        return picture
    return picture.resize((width, height), Image.Resampling.BICUBIC, box=box)


def _on_background(picture: Image.Image, width: int, height: int, placement: Placement) -> Image.Image:
    scale = min(width / picture.width, height / picture.height) * placement.scale
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    left = round((width - size[0]) * placement.anchor[0])
    top = round((height - size[1]) * placement.anchor[1])
    scaled = picture if size == picture.size else picture.resize(size, Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (width, height), placement.background.rgb)
    canvas.paste(scaled, (left, top), scaled)
    return canvas


def to_tensor(pictures: list[Image.Image]) -> Float[Tensor, "b 3 h w"]:
    """Pictures ("RGB", all of one size) as fp32 numbers in [-1, 1]."""
    stacked = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))
    return rearrange(stacked, "b h w c -> b c h w").float().div_(127.5).sub_(1.0)
