"""The straight path between noise and data (Liu et al. 2022, "rectified flow"; Lipman et al. 2023)."""

from jaxtyping import Float
from torch import Tensor


def interpolate(
    noise: Float[Tensor, "b *dims"], clean: Float[Tensor, "b *dims"], t: Float[Tensor, "b"]
) -> Float[Tensor, "b *dims"]:
    """x_t = t·clean + (1 − t)·noise, with one t in [0, 1] for each row."""
    t = broadcast(t, clean)
    return t * clean + (1 - t) * noise


def velocity(noise: Float[Tensor, "b *dims"], clean: Float[Tensor, "b *dims"]) -> Float[Tensor, "b *dims"]:
    """dx_t/dt = clean − noise, the same at every t."""
    return clean - noise


def clean_estimate(
    x: Float[Tensor, "b *dims"], v: Float[Tensor, "b *dims"], t: Float[Tensor, "b"]
) -> Float[Tensor, "b *dims"]:
    """The clean picture that a velocity at x_t points to: x_t + (1 − t)·v."""
    return x + (1 - broadcast(t, x)) * v


def broadcast(t: Float[Tensor, "b"], like: Float[Tensor, "b *dims"]) -> Float[Tensor, "b *ones"]:
    """One number a row, shaped to multiply rows of `like`."""
    return t.reshape(-1, *(1 for _ in like.shape[1:]))
