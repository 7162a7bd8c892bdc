"""What lies behind: plain colours, gradients, patterns and photographs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps

from mezzotint.runtime.packages import Package
from mezzotint.synthesis.colours import Rgb
from mezzotint.synthesis.scenes.truth import Background
from mezzotint.synthesis.styles import Fetch

SKIMAGE = Package(
    kind="debian",
    name="python3-skimage",
    version="0.19.3-8",
    sha256="728d88c3e3440f1f3712de0805dc834d29248ff07e1eec8c0f3da07606f752f9",
    licence="CC0-1.0",
    credit="brick, gravel (CC0Textures), grass (CC0), Hubble Deep Field (NASA, public domain), from scikit-image",
)
_FOLDER = "usr/lib/python3/dist-packages/skimage/data"
_STRIPES = 7  # in the picture's width or height
_DOTS = 6


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A photograph that can lie behind things. Grey ones get the shades between `dark` and `light`."""

    file: str
    english: str  # where the things are: "on grass"
    chinese: str  # after 背景是
    dark: Rgb | None = None
    light: Rgb | None = None


PHOTOGRAPHS: Mapping[str, Photograph] = {
    "brick": Photograph(
        file="brick.png", english="in front of a brick wall", chinese="砖墙", dark=(92, 38, 28), light=(222, 138, 108)
    ),
    "grass": Photograph(file="grass.png", english="on grass", chinese="草地", dark=(22, 66, 18), light=(150, 205, 96)),
    "gravel": Photograph(
        file="gravel.png", english="on gravel", chinese="碎石地", dark=(60, 58, 56), light=(216, 212, 204)
    ),
    "galaxies": Photograph(
        file="hubble_deep_field.jpg", english="in front of a night sky full of galaxies", chinese="布满星系的夜空"
    ),
}


class Photographs:
    """The photographs, read once, each a square of `SIDE` pixels."""

    SIDE = 512

    def __init__(self, fetch: Fetch) -> None:
        folder = fetch(SKIMAGE) / _FOLDER
        self._pictures = {name: _prepared(Image.open(folder / p.file), p) for name, p in PHOTOGRAPHS.items()}
        self.colours: dict[str, Rgb] = {name: _mean(picture) for name, picture in self._pictures.items()}

    def crop(self, name: str, size: tuple[int, int], offset: tuple[float, float]) -> Image.Image:
        """A part of the photograph with the aspect ratio of `size`; `offset` shares out the room that is left."""
        width, height = size
        part = 0.9 * self.SIDE / max(width, height)
        left, top = (at * (self.SIDE - part * side) for at, side in zip(offset, size, strict=True))
        box = (left, top, left + part * width, top + part * height)
        return self._pictures[name].resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)


def _prepared(picture: Image.Image, photograph: Photograph) -> Image.Image:
    square = ImageOps.fit(picture, (Photographs.SIDE, Photographs.SIDE))
    if photograph.dark is None or photograph.light is None:
        return square.convert("RGB")
    return ImageOps.colorize(ImageOps.autocontrast(square.convert("L"), cutoff=1), photograph.dark, photograph.light)


def _mean(picture: Image.Image) -> Rgb:
    red, green, blue = (int(c) for c in np.asarray(picture).reshape(-1, 3).mean(axis=0).round())
    return red, green, blue


def draw(background: Background, size: tuple[int, int], photographs: Photographs) -> Image.Image:
    """The background alone, RGB, `size` pixels (width, height)."""
    if background.photograph is not None:
        return photographs.crop(background.photograph, size, background.offset)
    first = background.paints[0].rgb
    if background.kind == "plain":
        return Image.new("RGB", size, first)
    second = np.asarray(background.paints[1].rgb, dtype=np.float32)
    share = _share(background, size)[..., None]
    mixed = np.asarray(first, dtype=np.float32) * (1 - share) + second * share
    return Image.fromarray(_to_bytes(mixed))


def _share(background: Background, size: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    """How much of the second colour each pixel has."""
    width, height = size
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    along = (y if background.direction == "down" else x).astype(np.float32)
    if background.kind == "gradient":
        return along
    soft = 1.5 / min(width, height)  # a pixel and a half of anti-aliasing
    if background.kind == "stripes":
        wave = np.abs((along * _STRIPES + background.offset[0]) % 1.0 - 0.5) - 0.25
        return np.clip(0.5 - wave / (soft * _STRIPES), 0, 1)
    dots = _DOTS * max(width, height) / min(width, height)
    across, down = x * dots * width / max(width, height), y * dots * height / max(width, height)
    row = np.floor(down + background.offset[1])
    u = (across + background.offset[0] + 0.5 * (row % 2)) % 1.0 - 0.5
    v = (down + background.offset[1]) % 1.0 - 0.5
    return np.clip(0.5 - (np.hypot(u, v) - 0.26) / (soft * _DOTS), 0, 1).astype(np.float32)


def _to_bytes(values: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)
