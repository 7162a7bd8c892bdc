"""Guidance is a denoiser around a network: the sampling loop has never heard of it.

Two conventions are in use. Ours, and Z-Image's: v = v_pos + g·(v_pos − v_neg), so g = 0 is no guidance. The other
(Imagen, Stable Diffusion): v = v_neg + w·(v_pos − v_neg), so w = 1 is no guidance; g = w − 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor

C = TypeVar("C")

Denoiser = Callable[[Float[Tensor, "b *dims"], float], Float[Tensor, "b *dims"]]
"""(x_t, t) -> velocity, with one t in [0, 1] for the whole batch."""

Network = Callable[[Float[Tensor, "b *dims"], Float[Tensor, "1"], C], Float[Tensor, "b *dims"]]
"""(x_t, t of all rows, condition of each row) -> velocity."""


@dataclass(frozen=True, kw_only=True)
class Condition(Generic[C]):
    """What a batch is conditioned on. `both` is positive then negative, prepared once for a run."""

    positive: C
    both: C | None = None


@runtime_checkable
class Guidance(Protocol):
    """How a network's answers with and without the captions become one velocity."""

    def bind(self, network: Network[C], condition: Condition[C]) -> Denoiser:
        """The denoiser of a batch."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClassifierFree:
    """v = v_pos + g·(v_pos − v_neg) (Ho & Salimans 2022), both branches in one batch.

    Attributes:
        g: Strength, 0 or more; 0 evaluates the positive branch only.
        norm_limit: Shrinks a picture's guided velocity to at most `norm_limit`·‖v_pos‖; None leaves it free.
        truncation: No guidance where t exceeds it (t = 1 is clean); None guides everywhere.
    """

    g: float
    norm_limit: float | None = None
    truncation: float | None = None

    def bind(self, network: Network[C], condition: Condition[C]) -> Denoiser:
        """The denoiser of a batch with this guidance."""

        plain = unguided(network, condition)
        if self.g == 0 or condition.both is None:
            return plain
        both = condition.both

        def guided(x: Tensor, t: float) -> Tensor:
            if self.truncation is not None and t > self.truncation:
                return plain(x, t)
            positive, negative = network(torch.cat([x, x]), time_for_all(x, t), both).float().chunk(2)
            v = positive + self.g * (positive - negative)
            return v if self.norm_limit is None else limit_norm(v, positive, self.norm_limit)

        return guided


@dataclass(frozen=True, kw_only=True)
class TrueGuidance:
    """v = v_neg + w·(v_pos − v_neg), each patch of it then brought to its norm in v_pos (Qwen-Image's pipelines).

    Attributes:
        w: Strength in the other convention, 0 or more; up to 1 evaluates the positive branch only.
        patch: Side of a patch, in latent pixels.
    """

    w: float
    patch: int

    def bind(self, network: Network[C], condition: Condition[C]) -> Denoiser:
        """The denoiser of a batch of latents "b c h w" with this guidance."""

        if self.w <= 1 or condition.both is None:
            return unguided(network, condition)
        both = condition.both

        def guided(x: Tensor, t: float) -> Tensor:
            positive, negative = network(torch.cat([x, x]), time_for_all(x, t), both).float().chunk(2)
            return match_norm(negative + self.w * (positive - negative), positive, self.patch)

        return guided


def unguided(network: Network[C], condition: Condition[C]) -> Denoiser:
    """The denoiser that follows the positive branch alone."""

    def denoise(x: Tensor, t: float) -> Tensor:
        return network(x, time_for_all(x, t), condition.positive)

    return denoise


def time_for_all(x: Float[Tensor, "b *dims"], t: float) -> Float[Tensor, "1"]:
    """One time for a whole batch, in fp32: a network then modulates all of its tokens alike."""
    return x.new_full((1,), t, dtype=torch.float32)


def match_norm(
    v: Float[Tensor, "b c h w"], reference: Float[Tensor, "b c h w"], patch: int
) -> Float[Tensor, "b c h w"]:
    """Scale each patch of `v`, `patch` wide and high with all its channels, to the norm that `reference` has there."""

    def norm(x: Tensor) -> Tensor:
        return reduce(x.square(), "b c (h p) (w q) -> b 1 h 1 w 1", "sum", p=patch, q=patch).sqrt()

    patches = rearrange(v, "b c (h p) (w q) -> b c h p w q", p=patch, q=patch)
    scale = norm(reference) / norm(v).clamp_min(torch.finfo(v.dtype).tiny)  # a patch of zeros stays one
    return rearrange(patches * scale, "b c h p w q -> b c (h p) (w q)")


def limit_norm(v: Float[Tensor, "b *dims"], reference: Float[Tensor, "b *dims"], c: float) -> Float[Tensor, "b *dims"]:
    """Shrink each row of `v` so that ‖v‖ ≤ c·‖reference‖ (Z-Image's `cfg_normalization`)."""
    axes = tuple(range(1, v.ndim))
    norm = torch.linalg.vector_norm(v, dim=axes, keepdim=True)
    limit = c * torch.linalg.vector_norm(reference, dim=axes, keepdim=True)
    return v * torch.where(norm > limit, limit / norm, torch.ones_like(norm))
