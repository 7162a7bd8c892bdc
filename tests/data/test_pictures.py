from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.small_corpus import shape

from mezzotint.data.pictures import (
    COLOURS,
    WHITE,
    Placement,
    contrasting_colours,
    place,
    read_picture,
    shrink,
    to_tensor,
)
from mezzotint.errors import FileFormatError, MissingFileError

RED = COLOURS[0]


def middle(scale: float, background=WHITE) -> Placement:
    return Placement(scale=scale, anchor=(0.5, 0.5), background=background)


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
