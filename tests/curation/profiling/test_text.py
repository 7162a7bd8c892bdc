import numpy as np
import pytest

from mezzotint.curation.profiling.text import smallest_character, surely_read, text_share
from mezzotint.perception.text_reader import TextLine


def line(left: int, top: int, right: int, bottom: int, text: str = "a", confidence: float = 0.9) -> TextLine:
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    return TextLine(text, corners, confidence)


def test_the_share_is_of_the_area_and_overlaps_count_once() -> None:
    assert text_share([], 100, 50) == 0
    half = line(0, 0, 49, 49)
    assert text_share([half], 100, 50) == pytest.approx(0.5, abs=0.01)
    assert text_share([half, line(10, 10, 30, 30)], 100, 50) == pytest.approx(0.5, abs=0.01)
    assert text_share([line(-100, -100, 300, 300)], 100, 50) == 1


def test_the_smallest_character_is_the_lowest_box_turned_or_not() -> None:
    assert smallest_character([], 200) == 1
    assert smallest_character([line(0, 0, 90, 40), line(0, 50, 90, 60)], 200) == pytest.approx(0.05)
    turned = TextLine("a", np.array([(0, 0), (0, 80), (-20, 80), (-20, 0)], np.float32), 0.9)
    assert smallest_character([turned], 200) == pytest.approx(0.1)


def test_what_the_reader_doubts_is_left_out_and_the_rest_is_in_order() -> None:
    lines = [line(0, 50, 9, 60, "third"), line(40, 0, 90, 20, "second"), line(0, 0, 30, 20, "first")]
    doubted = [line(0, 0, 9, 9, "x", 0.3), line(0, 0, 9, 9, "  ")]
    assert [one.text for one in surely_read([*lines, *doubted])] == ["first", "second", "third"]
