import numpy as np
import pytest
from PIL import Image

from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.text import FONTS, alphabet, words


def test_a_missing_glyph_is_noticed(props: Props) -> None:
    assert props.fonts.can_write("sans-bold", "HELLO")
    assert not props.fonts.can_write("sans-bold", "你好")
    assert props.fonts.can_write("hei", "你好")
    assert not props.fonts.can_write("hei", "你\u0e01")


def test_the_words_can_be_written(props: Props) -> None:
    for language, least in (("en", 150), ("zh", 150)):
        assert len(words(language)) >= least
        for word in words(language):
            assert any(props.fonts.can_write(font, word) for font in props.fonts.for_language(language)), word


@pytest.mark.parametrize(("font", "text"), [("sans-bold", "GO"), ("sans-bold", "garden"), ("hei", "年年有余")])
def test_text_fills_its_box_and_stays_in_it(props: Props, font: str, text: str) -> None:
    canvas = Image.new("RGB", (128, 96), "white")
    box = (10, 30, 118, 70)
    ink = props.fonts.draw(canvas, font, text, (200, 0, 0), box)
    left, top, right, bottom = ink.getbbox() or (0, 0, 0, 0)
    assert left >= box[0] - 1
    assert top >= box[1] - 1
    assert right <= box[2] + 1
    assert bottom <= box[3] + 1
    assert max((right - left) / 108, (bottom - top) / 40) > 0.85
    changed = (np.asarray(canvas) != 255).any(axis=-1)
    assert (changed == (np.asarray(ink) > 0)).mean() > 0.999


def test_the_shape_is_that_of_the_ink(props: Props) -> None:
    canvas = Image.new("RGB", (400, 400), "white")
    left, top, right, bottom = props.fonts.draw(canvas, "sans-bold", "WORD", (0, 0, 0), (0, 0, 400, 400)).getbbox() or (
        0, 0, 0, 0,
    )  # fmt: skip
    assert (right - left) / (bottom - top) == pytest.approx(props.fonts.shape("sans-bold", "WORD"), rel=0.05)


def test_every_font_is_described_in_both_languages() -> None:
    for font in FONTS.values():
        assert set(font.looks) == {"en", "zh"}
        assert font.package.licence in {"Bitstream-Vera", "Apache-2.0", "OFL-1.1"}


def test_edges_are_where_the_ink_of_one_character_gives_way_to_the_next(props: Props) -> None:
    edges = props.fonts.edges("sans-bold", "WI")
    assert edges[0] == 0.0
    assert edges[2] == 1.0
    canvas = Image.new("RGB", (400, 400), "white")
    ink = np.asarray(props.fonts.draw(canvas, "sans-bold", "WI", (0, 0, 0), (0, 0, 400, 400))).max(0)
    first, last = np.flatnonzero(ink)[[0, -1]]
    gap = np.flatnonzero(ink[first:last] == 0)
    assert gap[0] - 12 <= edges[1] * (last - first) <= gap[-1] + 12  # a character is as wide as its advance


def test_the_alphabets_spell_all_words() -> None:
    assert set("".join(words("en")).upper()) <= set(alphabet("en"))
    assert set("".join(words("zh")).upper()) <= set(alphabet("zh"))
    assert set("0123456789") <= set(alphabet("en"))
