"""Sigma schedules: tensors of steps + 1 values from 1 (noise) down to 0 (clean), fp32.

The published ones are those of diffusers' `FlowMatchEulerDiscreteScheduler` as its pipelines call it, to the last bit:
a network multiplies its time by a thousand before it takes cosines of it, and so tells roundings apart.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from mezzotint.errors import InputError


def shift(sigma: Float[Tensor, "*dims"], s: float) -> Float[Tensor, "*dims"]:
    """sigma' = s·sigma / (1 + (s − 1)·sigma): s > 1 spends more steps near noise."""
    return s * sigma / (1 + (s - 1) * sigma)


def static_shift(steps: int, s: float) -> Float[Tensor, "sigmas"]:
    """Z-Image's schedule: `steps` even sigmas, shifted, then 0.

    With s = 3 and 8 steps: 1, .954545, .9, .833333, .75, .642857, .5, .3, 0 (Z-Image-Turbo).
    """
    return _closed(shift(even(steps, torch.float32), s))


def exponential_shift(steps: int, mu: float, terminal: float | None) -> Float[Tensor, "sigmas"]:
    """Qwen-Image's schedule: sigma' = e^mu / (e^mu + 1/sigma − 1), then stretched so that its last sigma is `terminal`.

    `mu` grows with the picture: see `linear_mu`. The shift by e^mu is `shift` with s = e^mu.
    """
    s = torch.tensor(math.exp(mu))  # a number divided by a tensor would be two roundings
    sigmas = s / (s + (1 / even(steps, torch.float64).float() - 1))
    return _closed(sigmas if terminal is None else stretch(sigmas, terminal))


def linear_mu(tokens: int, *, low: tuple[int, float] = (256, 0.5), high: tuple[int, float] = (8192, 0.9)) -> float:
    """mu, linear in the number of image tokens through two points (tokens, mu); Qwen-Image's are the defaults."""
    (low_tokens, low_mu), (high_tokens, high_mu) = low, high
    return low_mu + (tokens - low_tokens) * (high_mu - low_mu) / (high_tokens - low_tokens)


def stretch(sigmas: Float[Tensor, "steps"], terminal: float) -> Float[Tensor, "steps"]:
    """Scale 1 − sigma so that the last sigma becomes `terminal`; a single sigma of 1 stays."""
    if sigmas[-1] == 1:
        return sigmas
    return 1 - (1 - sigmas) / ((1 - sigmas[-1]) / (1 - terminal))


def even(steps: int, dtype: torch.dtype) -> Float[Tensor, "steps"]:
    """`steps` sigmas from 1, evenly spaced so that the next one would be 0.

    Raises:
        InputError: `steps` is below 1.
    """
    if steps < 1:
        raise InputError(f"steps is {steps}; it must be 1 or more")
    return torch.linspace(1.0, 1.0 / steps, steps, dtype=dtype)


def time_of(sigma: float) -> float:
    """t = 1 − sigma, rounded to fp32 as Z-Image's pipelines do it on the way over a timestep of 1000·sigma."""
    return float((1000 - torch.tensor(sigma) * 1000) / 1000)


def partial(sigmas: Float[Tensor, "sigmas"], strength: float) -> Float[Tensor, "kept"]:
    """The last part of a schedule, for image-to-image: `strength` in (0, 1] is the share of the steps that are run.

    Rounded up, as diffusers' pipelines do it; 1 starts from pure noise.

    Raises:
        InputError: `strength` is outside (0, 1].
    """
    if not 0 < strength <= 1:
        raise InputError(f"strength {strength} is outside (0, 1]; 1 starts from pure noise")
    steps = len(sigmas) - 1
    return sigmas[min(int(steps - steps * strength), steps - 1) :]


def _closed(sigmas: Float[Tensor, "steps"]) -> Float[Tensor, "sigmas"]:
    return torch.cat([sigmas, sigmas.new_zeros(1)])
