"""From an encoded file to what is measured.

A file is decoded once, save a JPEG: its colours come straight from the low frequencies of its blocks, at the size to
which a picture is reduced, and its luma in full where a measure asks for it. Both together take two thirds of the time
of decoding it whole.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import numpy as np
import simplejpeg
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from mezzotint.curation.profiling.header import FORMATS, Header, read_header, readable
from mezzotint.errors import FileFormatError

SIDE, SMALL_SIDE = 342, 96  # what a decoded picture's longer side is reduced to: at least, at most
PATCH = 512  # sides of the patch that keeps the stored pixels
_GRID = 8  # JPEG's blocks: the patch begins at a corner of one; a decoder can leave out whole halves of them
_TURNS = {  # by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_HARMLESS = "extraneous bytes"  # of what libjpeg complains, what many cameras write


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A decoded picture, on white where it is transparent."""

    header: Header
    bytes: int  # of the file
    rgb: UInt8[ndarray, "h w 3"]  # upright, reduced
    read_stored: Callable[[], UInt8[ndarray, "H W"]]

    @cached_property
    def luma(self) -> UInt8[ndarray, "h w"]:
        """Y of ITU-R BT.601 of the reduced picture."""
        return np.asarray(Image.fromarray(self.rgb).convert("L"))

    @cached_property
    def small(self) -> UInt8[ndarray, "s t 3"]:
        """The reduced picture, reduced to at most 96 pixels."""
        return np.asarray(_reduced(Image.fromarray(self.rgb), -(-max(self.rgb.shape) // SMALL_SIDE)))

    @cached_property
    def stored(self) -> UInt8[ndarray, "H W"]:
        """Luma as it is stored: neither reduced nor turned. Raises FileFormatError."""
        with readable():
            return self.read_stored()

    @cached_property
    def patch(self) -> UInt8[ndarray, "p q"]:
        """The middle of what is stored."""
        return self.stored[_middle(self.stored.shape[0]), _middle(self.stored.shape[1])]


def decode(data: bytes, side: int = SIDE) -> Picture:
    """Reduced by the highest power of two that leaves `side` pixels to the longer side.

    Raises FileFormatError with the reason alone.
    """
    header = read_header(data)
    factor = 1 << max(0, (max(header.width, header.height) // side).bit_length() - 1)
    with readable():
        if header.format == "JPEG" and header.mode in ("RGB", "L"):
            reduced = _reduced_jpeg(data, factor)
            read_stored = partial(_jpeg_luma, data)
        else:
            whole = _whole(data, header)
            reduced = _on_white(_reduced(whole, factor))
            luma = np.asarray(_on_white(whole).convert("L"))
            read_stored = partial(np.asarray, luma)
        if header.orientation in _TURNS:
            reduced = reduced.transpose(_TURNS[header.orientation])
    return Picture(header=header, bytes=len(data), rgb=np.asarray(reduced), read_stored=read_stored)


def _whole(data: bytes, header: Header) -> Image.Image:
    """The first frame as "RGB" or "RGBA", not yet upright."""
    if header.mode == "F":
        raise FileFormatError("pixels that are floating-point numbers, without a known white")
    with Image.open(io.BytesIO(data), formats=FORMATS) as file:
        if header.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255 instead of scaling
            return Image.fromarray((np.asarray(file).clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
        return file.convert("RGBA" if header.transparent else "RGB")


def _reduced_jpeg(data: bytes, factor: int) -> Image.Image:
    """As `_reduced`: of each block of 8x8 pixels the frequencies that remain of it, then means for what is left."""
    by_blocks = min(factor, _GRID)
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    pixels = _jpeg(data, "RGB", (-(-height // by_blocks), -(-width // by_blocks)))
    whole = pixels[: max(1, height // by_blocks), : max(1, width // by_blocks)]
    return _reduced(Image.fromarray(whole), factor // by_blocks)


def _jpeg_luma(data: bytes) -> UInt8[ndarray, "h w"]:
    return _jpeg(data, "GRAY")[..., 0]


def _jpeg(data: bytes, colours: Literal["RGB", "GRAY"], least: tuple[int, int] = (0, 0)) -> UInt8[ndarray, "h w c"]:
    """A JPEG's pixels, at the smallest height and width that are at least `least`; (0, 0): in full.

    Anything wrong in the file is an error, and no grey lower half.
    """
    read = partial(simplejpeg.decode_jpeg, data, colours, min_height=least[0], min_width=least[1])
    try:
        return read(strict=True)
    except ValueError as error:
        if _HARMLESS not in str(error):
            raise
        return read(strict=False)


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    canvas = Image.new("RGB", picture.size, "white")
    canvas.paste(picture, mask=picture.getchannel("A"))
    return canvas


def _reduced(picture: Image.Image, factor: int) -> Image.Image:
    """Means of whole cells of factor x factor pixels; what is left over at the right and below is left out."""
    across, down = (min(factor, length) for length in picture.size)
    box = (0, 0, picture.width // across * across, picture.height // down * down)
    return picture.reduce((across, down), box)


def _middle(length: int) -> slice:
    """The side of the patch, from a corner of JPEG's grid."""
    start = max(0, length - PATCH) // 2 // _GRID * _GRID
    return slice(start, min(start + PATCH, length))
