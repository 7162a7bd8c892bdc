from collections import Counter

import pytest

from mezzotint.data.mixture import Mixture
from mezzotint.errors import InputError


class Numbered:
    """Says which of its batches is asked for."""

    def __init__(self, name: str) -> None:
        self.name = name

    def at(self, step: int) -> tuple[str, int]:
        return self.name, step


def mixture(seed: int = 0) -> Mixture[tuple[str, int]]:
    return Mixture([Numbered("a"), Numbered("b"), Numbered("c")], [0.7, 0.2, 0.1], seed)


def test_each_source_gives_its_batches_in_order():
    drawn = [mixture().at(step) for step in range(100)]
    mixed = mixture()
    assert drawn == [mixed.at(step) for step in range(100)]
    for name in "abc":
        numbers = [number for source, number in map(mixed.at, range(2500)) if source == name]
        assert numbers == list(range(len(numbers)))


def test_a_resumed_run_sees_what_it_would_have_seen():
    through = mixture()
    seen = [through.at(step) for step in range(2100)]
    assert [mixture().at(step) for step in (2099, 1000, 999, 0)] == [seen[2099], seen[1000], seen[999], seen[0]]


def test_shares_are_those_of_the_steps_and_seeds_differ():
    mixed = mixture()
    counts = Counter(mixed.at(step)[0] for step in range(10_000))
    assert abs(counts["a"] - 7000) < 5 * (10_000 * 0.7 * 0.3) ** 0.5
    assert abs(counts["c"] - 1000) < 5 * (10_000 * 0.1 * 0.9) ** 0.5
    assert [mixture(1).at(step) for step in range(50)] != [mixture(0).at(step) for step in range(50)]


@pytest.mark.parametrize("shares", [[1.2, -0.2], [0.5, 0.4], [1.0, 0.0]])
def test_shares_must_make_a_whole(shares: list[float]):
    with pytest.raises(InputError, match="shares"):
        Mixture([Numbered("a"), Numbered("b")], shares, 0)
