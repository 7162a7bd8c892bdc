import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.small_corpus import encoded, record, shape

from mezzotint.data.record_pictures import decode
from mezzotint.data.records import Record
from mezzotint.errors import FileFormatError, MissingFileError


def with_bytes(data: bytes | None, path: str | None = None) -> Record:
    whole = record("x", shape("red", "box"), [])
    return Record(**(vars(whole) | {"picture": data, "path": path}))


# Decoding ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_a_picture_is_decoded_as_it_was_encoded(kind: str, tmp_path: Path) -> None:
    picture = Image.new("RGB", (20, 10), (200, 100, 50))
    decoded = decode(with_bytes(encoded(picture, kind)), tmp_path)
    assert decoded.mode == "RGB"
    assert decoded.size == (20, 10)
    assert np.abs(np.asarray(decoded, int) - np.asarray(picture, int)).max() <= 4  # WebP and JPEG round colours


def test_transparency_decides_the_mode(tmp_path: Path) -> None:
    palette = shape("red", "box").quantize(4)
    assert palette.mode == "P"
    assert decode(with_bytes(encoded(palette)), tmp_path).mode == "RGBA"
    assert decode(with_bytes(encoded(Image.new("L", (4, 4)))), tmp_path).mode == "RGB"


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn by 90 degrees
    path = tmp_path / "turned.jpg"
    Image.new("RGB", (30, 10)).save(path, exif=exif)
    assert decode(with_bytes(None, "turned.jpg"), tmp_path).size == (10, 30)


@given(share=st.floats(0, 0.95))
def test_a_picture_cut_short_is_refused(share: float) -> None:
    data = encoded(Image.effect_noise((32, 32), 80))
    with pytest.raises(FileFormatError, match=r"the picture of record 'x' cannot be decoded \(\w+\)"):
        decode(with_bytes(data[: int(share * len(data))]), Path())


def test_other_formats_are_refused() -> None:
    with pytest.raises(FileFormatError, match="cannot be decoded"):
        decode(with_bytes(encoded(Image.new("RGB", (4, 4)), "BMP")), Path())


@pytest.mark.parametrize(("width", "height"), [(9000, 9000), (40000, 40000)])
def test_a_decompression_bomb_is_refused_unread(width: int, height: int) -> None:
    data = bytearray(encoded(Image.new("L", (1, 1))))
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(FileFormatError, match=r"cannot be decoded|claims 9000x9000 pixels"):
        decode(with_bytes(bytes(data)), Path())


def test_a_picture_outside_of_the_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(encoded(Image.new("RGB", (4, 4))))
    with pytest.raises(FileFormatError, match="outside of its corpus"):
        decode(with_bytes(None, "../secret.png"), tmp_path / "corpus")


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gone\.png, the picture of record 'x', does not exist"):
        decode(with_bytes(None, "gone.png"), tmp_path)
    with pytest.raises(FileFormatError, match="neither a picture nor a path"):
        decode(with_bytes(None), tmp_path)


# Placing -------------------------------------------------------------------------------------------------------------
