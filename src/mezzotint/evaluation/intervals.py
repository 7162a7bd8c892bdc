"""95 % confidence intervals: Wilson's for shares, the bootstrap's for everything else."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from mezzotint.runtime.seeds import Seeds

Z = 1.959963984540054  # the normal distribution's 97.5 % quantile
RESAMPLES = 2000
_TAILS = (2.5, 97.5)


class Interval(NamedTuple):
    low: float
    high: float


def wilson(hits: float, count: int) -> Interval:
    """Of a share (Wilson 1927): inside [0, 1], and sensible where all or none of a few hit, unlike p ± 1.96·σ."""
    share, z2 = hits / count, Z**2 / count
    middle = (share + z2 / 2) / (1 + z2)
    half = Z / (1 + z2) * (share * (1 - share) / count + z2 / (4 * count)) ** 0.5
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def resamples(count: int, times: int) -> Int[np.ndarray, "times count"]:
    """Rows of indices drawn with replacement, always the same for the same numbers."""
    return Seeds(0).numpy("bootstrap", count).integers(count, size=(times, count))


def of_mean(scores: Float[np.ndarray, "n"]) -> Interval:
    """Of a mean: percentiles of the means of resampled items (Efron & Tibshirani 1993, section 13.3).

    Of a mean of differences between two models on the same items, it is the paired bootstrap.
    """
    return _percentiles(scores[resamples(len(scores), RESAMPLES)].mean(1))


def of_replicates(value: float, replicates: Float[np.ndarray, "times"]) -> Interval:
    """Around any statistic, from its values on resampled items: ± 1.96 of their standard deviations.

    For statistics that resampling biases, such as a Fréchet distance: the spread is right, the percentiles are not.
    """
    half = Z * float(replicates.std(ddof=1))
    return Interval(value - half, value + half)


def _percentiles(values: Float[np.ndarray, "times"]) -> Interval:
    low, high = np.percentile(values, _TAILS)
    return Interval(float(low), float(high))
