"""Where on the path a training step looks: distributions of t in (0, 1)."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class TimeSampler(Protocol):
    """Draws training times."""

    def sample(self, count: int, tokens: int, generator: torch.Generator) -> Float[Tensor, "count"]:
        """`count` times in (0, 1) for pictures of `tokens` image tokens."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Every time alike."""

    def sample(self, count: int, tokens: int, generator: torch.Generator) -> Float[Tensor, "count"]:
        return torch.rand(count, generator=generator)


@dataclass(frozen=True, kw_only=True)
class LogitNormal:
    """logit(t) ~ Normal(mean, std²): the middle of the path most often (Esser et al. 2024, section 3.1)."""

    mean: float
    std: float

    def sample(self, count: int, tokens: int, generator: torch.Generator) -> Float[Tensor, "count"]:
        return torch.sigmoid(self.mean + self.std * torch.randn(count, generator=generator))


@dataclass(frozen=True, kw_only=True)
class ResolutionShifted:
    """Another sampler's times, moved towards noise as pictures grow.

    A picture of n times the tokens needs sqrt(n) times the noise to be equally hidden:
    sigma' = s·sigma / (1 + (s − 1)·sigma) with s = sqrt(tokens / reference_tokens) (Esser et al. 2024, equation 23).
    """

    times: TimeSampler
    reference_tokens: int

    def sample(self, count: int, tokens: int, generator: torch.Generator) -> Float[Tensor, "count"]:
        s = math.sqrt(tokens / self.reference_tokens)
        sigma = 1 - self.times.sample(count, tokens, generator)
        return 1 - s * sigma / (1 + (s - 1) * sigma)
