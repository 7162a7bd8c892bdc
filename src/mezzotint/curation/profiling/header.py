"""What a picture's file says of itself before it is decoded, and the limits that keep a hostile one out."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import ExifTags, Image, UnidentifiedImageError

from mezzotint.errors import FileFormatError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 1 << 25  # 33.5 megapixels: what two processes decode within 1 GiB
BOMB_PIXELS, BOMB_RATIO = 1 << 22, 1000  # more pixels than this, more than so many bytes from one: no real picture

_SWAPS_AXES = (5, 6, 7, 8)  # orientations of EXIF that lie on the side
_PNG_DEPTH, _TIFF_DEPTH = 24, 258  # the byte of IHDR; the tag BitsPerSample


@dataclass(frozen=True, kw_only=True)
class Header:
    """Facts of a file. Width and height are those of the upright picture, in pixels."""

    format: str  # by content, not by name: one of FORMATS
    mode: str  # Pillow's name for the kind of its pixels
    width: int
    height: int
    bit_depth: int  # of one channel
    orientation: int  # EXIF's 1 to 8; 1 is upright
    icc: bool  # whether it has a colour profile
    frames: int  # more than 1: an animation, or several pages
    transparent: bool  # whether it has an alpha channel or a transparent colour


def read_header(data: bytes) -> Header:
    """The facts of an encoded picture. Raises FileFormatError with the reason alone, for a dead-letter table."""
    if not data:
        raise FileFormatError("an empty file")
    with readable(), Image.open(io.BytesIO(data), formats=FORMATS) as file:
        width, height = file.size
        if width * height > MAX_PIXELS:
            raise FileFormatError(f"claims {width}x{height} pixels, more than {MAX_PIXELS}")
        if width * height > BOMB_PIXELS and width * height * 3 > BOMB_RATIO * len(data):
            raise FileFormatError(f"a decompression bomb: {width}x{height} pixels in {len(data)} bytes")
        orientation = file.getexif().get(ExifTags.Base.Orientation, 1)
        if orientation in _SWAPS_AXES:
            width, height = height, width
        return Header(
            format=file.format or "",
            mode=file.mode,
            width=width,
            height=height,
            bit_depth=_bit_depth(file, data),
            orientation=orientation if orientation in range(1, 9) else 1,
            icc=bool(file.info.get("icc_profile")),
            frames=getattr(file, "n_frames", 1),
            transparent=file.has_transparency_data,
        )


@contextmanager
def readable() -> Iterator[None]:
    """What Pillow raises and warns of a broken file becomes a FileFormatError with one short reason."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except FileFormatError:
        raise
    except UnidentifiedImageError as error:
        raise FileFormatError(f"not a picture ({', '.join(FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise FileFormatError("claims too many pixels") from error
    except MemoryError as error:
        raise FileFormatError("too large for this machine's memory") from error
    except Exception as error:  # a broken file can raise anything in Pillow's readers, and must not end the run
        raise FileFormatError(f"broken: {(str(error).splitlines() or [''])[0] or type(error).__name__}") from error


def _bit_depth(file: Image.Image, data: bytes) -> int:
    if file.format == "PNG":
        return data[_PNG_DEPTH]
    if file.format == "TIFF":
        return max(file.tag_v2.get(_TIFF_DEPTH, (1,)))  # type: ignore[attr-defined]  # Pillow's TiffImageFile has it
    return 8
