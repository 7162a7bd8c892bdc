import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.small_corpus import encoded, record, shape

from mezzotint.data.pictures import (
    COLOURS,
    WHITE,
    Placement,
    contrasting_colours,
    decode,
    place,
    read_picture,
    shrink,
    to_tensor,
)
from mezzotint.data.records import Record
from mezzotint.errors import FileFormatError, MissingFileError

RED = COLOURS[0]


def middle(scale: float, background=WHITE) -> Placement:
    return Placement(scale=scale, anchor=(0.5, 0.5), background=background)


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


def test_a_picture_file(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10), (200, 100, 50)).save(tmp_path / "x.png")
    assert read_picture(tmp_path / "x.png").tobytes() == Image.new("RGB", (20, 10), (200, 100, 50)).tobytes()
    with pytest.raises(MissingFileError, match=r"absent\.png is missing"):
        read_picture(tmp_path / "absent.png")
    with pytest.raises(FileFormatError, match="cannot be read: Is a directory"):
        read_picture(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(FileFormatError, match=r"text\.png cannot be decoded .*: give a whole PNG, WebP or JPEG"):
        read_picture(tmp_path / "text.png")


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


def test_a_cut_out_stands_on_its_background() -> None:
    placed = np.asarray(place(shape("blue", "box", 40), 40, 40, middle(1.0, RED)))
    assert tuple(placed[20, 20]) == (40, 70, 200)
    assert tuple(placed[2, 2]) == RED.rgb


def test_edges_do_not_take_the_colour_of_clear_pixels() -> None:
    """A white disc whose clear pixels are black, on white: a careless resize shows a dark ring."""
    disc = shape("red", "disc", 64)
    white = Image.merge("RGBA", [*Image.new("RGB", (64, 64), "white").split(), disc.getchannel("A")])
    white.paste((0, 0, 0, 0), mask=disc.getchannel("A").point(lambda a: 255 * (a == 0)))
    assert np.asarray(place(white, 24, 24, middle(0.8))).min() >= 254


@given(
    width=st.integers(8, 60),
    height=st.integers(8, 60),
    scale=st.floats(0.2, 2.0),
    anchor=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    opaque=st.booleans(),
    source=st.tuples(st.integers(1, 70), st.integers(1, 70)),
)
def test_the_canvas_has_the_size_asked_for(width, height, scale, anchor, opaque, source) -> None:
    picture = Image.new("RGB" if opaque else "RGBA", source, (9, 9, 9) if opaque else (9, 9, 9, 255))
    placed = place(picture, width, height, Placement(scale=scale, anchor=anchor, background=WHITE))
    assert placed.mode == "RGB"
    assert placed.size == (width, height)
    if opaque:
        assert np.asarray(placed).max() <= 10  # covers all of it


def test_the_anchor_says_where() -> None:
    box = Image.new("RGBA", (10, 10), (0, 0, 0, 255))

    def dark(x: float, y: float) -> tuple[int, ...]:
        placed = place(box, 40, 40, Placement(scale=0.25, anchor=(x, y), background=WHITE))
        rows, columns = np.nonzero(np.asarray(placed)[..., 0] == 0)
        return int(columns.min()), int(columns.max()), int(rows.min()), int(rows.max())

    assert dark(0, 0) == (0, 9, 0, 9)
    assert dark(1, 0) == (30, 39, 0, 9)
    assert dark(0.5, 1) == (15, 24, 30, 39)


def test_an_opaque_picture_is_cropped_at_the_anchor() -> None:
    halves = Image.fromarray(np.repeat(np.uint8([[0] * 40 + [250] * 40]), 40, 0)).convert("RGB")
    left = place(halves, 40, 40, Placement(scale=1.0, anchor=(0, 0.5), background=WHITE))
    right = place(halves, 40, 40, Placement(scale=1.0, anchor=(1, 0.5), background=WHITE))
    assert (np.asarray(left).max(), np.asarray(right).min()) == (0, 250)


def test_shrink_keeps_what_a_canvas_needs() -> None:
    assert shrink(Image.new("RGBA", (200, 100)), 50).size == (50, 25)  # has to fit inside
    assert shrink(Image.new("RGB", (200, 100)), 50).size == (100, 50)  # has to cover
    assert shrink(Image.new("RGB", (30, 30)), 50).size == (30, 30)


def test_colours_that_hide_a_cut_out_are_left_out() -> None:
    names = {colour.en for colour in contrasting_colours(shape("red", "box"))}
    assert "red" not in names
    assert {"green", "blue", "light blue"} <= names
    assert "black" not in {colour.en for colour in contrasting_colours(Image.new("RGBA", (9, 9), (0, 0, 0, 255)))}


def test_tensors_span_minus_one_to_one() -> None:
    tensor = to_tensor([Image.new("RGB", (3, 2), (0, 255, 51))])
    assert tensor.shape == (1, 3, 2, 3)
    np.testing.assert_allclose(tensor[0, :, 0, 0], [-1.0, 1.0, -0.6], atol=1e-6)
