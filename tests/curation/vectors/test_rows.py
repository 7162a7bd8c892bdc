import pytest

from mezzotint.curation.vectors.rows import Row, best_first
from mezzotint.errors import InputError

ROWS = [
    Row(id="b", width=4, height=4, concept=None, caption="", measures={"clarity": 3.0}),
    Row(id="a", width=4, height=4, concept=None, caption="", measures={"clarity": 3.0}),
    Row(id="c", width=8, height=8, concept=None, caption="", measures={"clarity": 1.0}),
]


@pytest.mark.parametrize(
    ("by", "order"), [("pixels", [2, 1, 0]), ("-pixels", [1, 0, 2]), ("clarity", [1, 0, 2]), ("-clarity", [2, 1, 0])]
)
def test_the_best_come_first_and_ties_have_an_order(by: str, order: list[int]) -> None:
    assert best_first(ROWS, by) == order


def test_a_measure_that_a_picture_has_not_is_said() -> None:
    with pytest.raises(InputError, match="picture b has no measure 'noise'; the measures of this corpus: clarity"):
        best_first(ROWS, "noise")
