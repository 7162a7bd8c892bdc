import numpy as np
import pytest

from mezzotint.evaluation import intervals


def test_wilson_gives_the_published_numbers():
    """Newcombe (1998), table I, method 3: 81 of 263, and 0 of 20."""
    assert intervals.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert intervals.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert intervals.wilson(20, 20) == pytest.approx((1 - 0.1611, 1.0), abs=1e-4)


def test_the_bootstrap_of_a_mean_is_about_the_normal_interval():
    scores = np.random.default_rng(0).normal(3.0, 2.0, 400)
    half = 1.96 * scores.std(ddof=1) / 20
    assert intervals.of_mean(scores) == pytest.approx((scores.mean() - half, scores.mean() + half), abs=0.03)


def test_equal_scores_have_no_width_and_equal_calls_are_equal():
    assert intervals.of_mean(np.full(5, 0.25)) == (0.25, 0.25)
    scores = np.arange(10.0)
    assert intervals.of_mean(scores) == intervals.of_mean(scores)


def test_of_replicates_is_symmetric_around_the_value_whatever_their_bias():
    replicates = np.array([11.0, 13.0])  # standard deviation √2
    low, high = intervals.of_replicates(5.0, replicates)
    assert (low + high) / 2 == pytest.approx(5.0)
    assert high - low == pytest.approx(2 * 1.959964 * 2**0.5, rel=1e-6)
