"""From an encoded file to what is measured: each picture is decoded once."""

import io
from dataclasses import dataclass

import numpy as np
import simplejpeg
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from mezzotint.curation.profiling.header import FORMATS, Header, read_header, readable
from mezzotint.errors import FileFormatError

SIDE, SMALL_SIDE = 512, 96  # what a decoded picture's longer side is reduced to: about so much, at most so much
PATCH = 512  # sides of the patch that keeps the stored pixels
_GRID = 8  # JPEG's blocks: the patch begins at a corner of one
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
    rgb: UInt8[ndarray, "h w 3"]  # upright; averaged over whole pixels so that the longer side is from 342 to 767 ...
    luma: UInt8[ndarray, "h w"]  # ... or as it is, where that is less; luma is Y of ITU-R BT.601
    small: UInt8[ndarray, "s t 3"]  # the same, reduced to at most 96 pixels
    stored: UInt8[ndarray, "H W"]  # luma as it is stored: neither reduced nor turned ...
    patch: UInt8[ndarray, "p q"]  # ... and the middle of it


def decode(data: bytes) -> Picture:
    """Raises FileFormatError with the reason alone."""
    header = read_header(data)
    with readable():
        stored = _stored(data, header)
        factor = max(1, round(max(stored.size) / SIDE))
        reduced = _on_white(_reduced(stored, factor))
        luma = np.asarray(_on_white(stored).convert("L"))
        if header.orientation in _TURNS:
            reduced = reduced.transpose(_TURNS[header.orientation])
    return Picture(
        header=header,
        bytes=len(data),
        rgb=np.asarray(reduced),
        luma=np.asarray(reduced.convert("L")),
        small=np.asarray(_reduced(reduced, -(-max(reduced.size) // SMALL_SIDE))),
        stored=luma,
        patch=luma[_middle(luma.shape[0]), _middle(luma.shape[1])],
    )


def _stored(data: bytes, header: Header) -> Image.Image:
    """The first frame as "RGB" or "RGBA", not yet upright."""
    if header.format == "JPEG" and header.mode in ("RGB", "L"):
        return Image.fromarray(_jpeg(data))
    if header.mode == "F":
        raise FileFormatError("pixels that are floating-point numbers, without a known white")
    with Image.open(io.BytesIO(data), formats=FORMATS) as file:
        if header.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255 instead of scaling
            return Image.fromarray((np.asarray(file).clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
        return file.convert("RGBA" if header.transparent else "RGB")


def _jpeg(data: bytes) -> UInt8[ndarray, "h w 3"]:
    """A JPEG's pixels. Anything wrong in the file is an error, and no grey lower half."""
    try:
        return simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError as error:
        if _HARMLESS not in str(error):
            raise
        return simplejpeg.decode_jpeg(data, "RGB", strict=False)


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
