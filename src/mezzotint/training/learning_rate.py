"""Learning-rate schedules: plain functions of the step, as a share of the peak rate in [0, 1].

A recipe fixes the keyword arguments (`functools.partial`); the trainer calls the result with the step.
"""

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def constant(step: int, *, warmup: int) -> float:
    """A linear rise over `warmup` steps (the first step already moves), then 1."""
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def cosine(step: int, *, warmup: int, total: int, floor: float) -> float:
    """The rise, then half a cosine from 1 at the end of it down to `floor` at step `total`."""
    share = _share(step, warmup, total)
    return constant(step, warmup=warmup) * (floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * share)))


def linear_to_zero(step: int, *, warmup: int, total: int) -> float:
    """The rise, then a straight line from 1 at the end of it down to 0 at step `total`."""
    return constant(step, warmup=warmup) * (1.0 - _share(step, warmup, total))


def trapezoid(step: int, *, warmup: int, total: int, cooldown: int) -> float:
    """The rise, then 1, then a straight line down to 0 over the last `cooldown` steps.

    A finished run can be continued from a checkpoint before the cool-down with a larger `total` (Hägele et al. 2024).
    """
    return constant(step, warmup=warmup) * (1.0 - _share(step, total - cooldown, total))


def _share(step: int, start: int, end: int) -> float:
    """How far `step` is from `start` to `end`, in [0, 1]."""
    return min(1.0, max(0.0, (step - start) / max(1, end - start)))
