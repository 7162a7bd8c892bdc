import pytest
import torch
from torch import Tensor

from mezzotint.models.step_cache import FirstBlockCache, Tokens


class Others:
    """Blocks that add a constant and count how often they run."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, x: Tokens) -> Tokens:
        self.runs += 1
        return tuple(tokens + 10.0 for tokens in x)


def step(cache: FirstBlockCache, x: Tensor, change: float, others: Others) -> Tensor:
    """One step whose first block adds `change`."""
    return cache((x,), lambda tokens: (tokens[0] + change,), others)[0]


def test_a_step_like_the_last_full_one_skips_the_others_and_adds_what_they_added() -> None:
    cache, others, x = FirstBlockCache(0.1), Others(), torch.randn(1, 4, 8)
    torch.testing.assert_close(step(cache, x, 1.0, others), x + 11.0)
    torch.testing.assert_close(step(cache, 2 * x, 1.09, others), 2 * x + 11.09)
    assert (others.runs, cache.steps, cache.skipped) == (1, 2, 1)


def test_changes_are_counted_from_the_last_full_step() -> None:
    """So many small ones add up."""
    cache, others, x = FirstBlockCache(0.1), Others(), torch.randn(1, 4, 8)
    for change in (1.0, 1.06, 1.12, 1.18, 1.24):
        step(cache, x, change, others)
    assert others.runs == 3  # at 1, 1.12 and 1.24


def test_a_batch_of_another_size_runs_in_full() -> None:
    cache, others = FirstBlockCache(0.9), Others()
    step(cache, torch.randn(2, 4, 8), 1.0, others)
    step(cache, torch.randn(1, 4, 8), 1.0, others)
    assert others.runs == 2


@pytest.mark.parametrize("threshold", [0.0, 1e-9])
def test_without_a_threshold_every_step_runs_in_full(threshold: float) -> None:
    cache, others, x = FirstBlockCache(threshold), Others(), torch.randn(1, 4, 8)
    for change in (1.0, 1.001, 1.002):
        step(cache, x, change, others)
    assert others.runs == 3


def test_the_last_stream_decides_and_all_are_kept() -> None:
    cache, others = FirstBlockCache(0.1), Others()
    text, picture = torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    cache((text, picture), lambda x: (x[0] + 1.0, x[1] + 1.0), others)
    words, patches = cache((text, picture), lambda x: (x[0] + 7.0, x[1] + 1.0), others)
    torch.testing.assert_close((words, patches), (text + 17.0, picture + 11.0))
