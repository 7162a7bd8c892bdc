"""Samplers integrate dx/dσ = −v from noise (σ = 1) to picture (σ = 0). Each is a short loop over a denoiser.

The state is fp32 whatever the network computes in.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from mezzotint.flow.guidance import Denoiser
from mezzotint.flow.schedules import time_of

OnStep = Callable[[int, Tensor], None]
"""Called after each step with its index and the state."""


def ignore(step: int, x: Tensor) -> None:
    """The `OnStep` that does nothing."""


@runtime_checkable
class Sampler(Protocol):
    def __call__(
        self, denoise: Denoiser, x: Float[Tensor, "b *dims"], sigmas: Float[Tensor, "sigmas"], on_step: OnStep = ignore
    ) -> Float[Tensor, "b *dims"]: ...


def euler(
    denoise: Denoiser, x: Float[Tensor, "b *dims"], sigmas: Float[Tensor, "sigmas"], on_step: OnStep = ignore
) -> Float[Tensor, "b *dims"]:
    """First order: one straight step along each velocity. One evaluation a step."""
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        v = denoise(x, time_of(sigma)).float()
        x = x + (sigma - sigma_next) * v
        on_step(step, x)
    return x


def multistep(
    denoise: Denoiser, x: Float[Tensor, "b *dims"], sigmas: Float[Tensor, "sigmas"], on_step: OnStep = ignore
) -> Float[Tensor, "b *dims"]:
    """Second order, still one evaluation a step: Adams–Bashforth with the last two velocities and unequal steps.

    The velocity is extrapolated along the line through its last two values; its mean over the step is
    v + h/(2·h_last)·(v − v_last) (Hairer, Nørsett & Wanner, Solving ODEs I, section III.5). The first step is Euler's.
    """
    v_last, h_last = None, 0.0
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        h = sigma - sigma_next
        v = denoise(x, time_of(sigma)).float()
        x = x + h * (v if v_last is None else v + h / (2 * h_last) * (v - v_last))
        v_last, h_last = v, h
        on_step(step, x)
    return x


SAMPLERS: dict[str, Sampler] = {"euler": euler, "multistep": multistep}
