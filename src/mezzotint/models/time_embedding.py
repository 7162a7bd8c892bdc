"""How a network is told the time: sinusoids of it (Vaswani et al. 2017, section 3.5), through two layers."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def wave_frequencies(count: int, device: torch.device) -> Float[Tensor, "count"]:
    """`count` frequencies, falling geometrically from 1 towards 1e-4 (fp32)."""
    steps = torch.arange(count, dtype=torch.float32, device=device)
    return torch.exp(-math.log(10_000.0) * steps / count)


class TimeEmbedding(nn.Module):
    """cat[cos, sin] of angles, time · scale · frequency, through a hidden layer with SiLU."""

    def __init__(self, frequencies: int, hidden_dim: int, dim: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * frequencies, hidden_dim)
        self.out = nn.Linear(hidden_dim, dim)

    def forward(self, angles: Float[Tensor, "m frequencies"]) -> Float[Tensor, "m d"]:
        waves = torch.cat([angles.cos(), angles.sin()], dim=1)
        return self.out(F.silu(self.hidden(waves.to(self.hidden.weight.dtype))))
