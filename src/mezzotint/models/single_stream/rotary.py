"""Rotary position embedding over three axes: place in the sequence of conditions, row, column.

A head's channels are taken in pairs; pair i of an axis turns by position · theta^(−2i/d), d the axis' channels
(Su et al. 2021, eq. 15, once for each axis). The published weights keep the two of a pair side by side. Ours, reordered
when they are loaded (`state_dict.py`), keep all first members and then all second ones, so that turning a head is a
product, a shift by half of it and another product, each over contiguous memory.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from mezzotint.models.single_stream.config import SingleStreamConfig


class Rotary(NamedTuple):
    """Cosines, and sines with the sign of the shifted term, of every token (fp32)."""

    cos: Float[Tensor, "s n 1 1 e"]
    sin: Float[Tensor, "s n 1 1 e"]


class RotaryTables:
    """The angle of each pair at each position of each axis."""

    def __init__(self, config: SingleStreamConfig) -> None:
        # In float64 and rounded before the cosine, as published: a float64 cosine differs by 6e-5.
        self.angles = []
        for channels, length in zip(config.axes_dims, config.axes_lens, strict=True):
            exponents = torch.arange(0, channels, 2, dtype=torch.float64, device="cpu") / channels
            positions = torch.arange(length, dtype=torch.float64, device="cpu")
            self.angles.append(torch.outer(positions, 1.0 / config.rope_theta**exponents).float())

    def at(self, positions: Int[Tensor, "n axes"]) -> tuple[Float[Tensor, "n e"], Float[Tensor, "n e"]]:
        """Cosines and signed sines of tokens at these positions, on the CPU."""
        angles = torch.cat([table[ids] for table, ids in zip(self.angles, positions.unbind(1), strict=True)], dim=1)
        cos, sin = angles.cos(), angles.sin()
        return torch.cat([cos, cos], dim=1), torch.cat([-sin, sin], dim=1)


def rotate(x: Float[Tensor, "s n k h e"], rotary: Rotary) -> Float[Tensor, "s n k h e"]:
    """Turn the pairs (x[i], x[i + e/2]) of every head: (a cos − b sin, b cos + a sin)."""
    first, second = x.chunk(2, dim=-1)
    return torch.addcmul(x * rotary.cos, torch.cat([second, first], dim=-1), rotary.sin)


def pairs_to_halves(weight: Shaped[Tensor, "channels *d"], heads: int) -> Shaped[Tensor, "channels *d"]:
    """The channels of each head from the published order (pairs side by side) to ours (two halves)."""
    return rearrange(weight, "(head pair two) ... -> (head two pair) ...", head=heads, two=2)


def halves_to_pairs(weight: Shaped[Tensor, "channels *d"], heads: int) -> Shaped[Tensor, "channels *d"]:
    """The way back."""
    return rearrange(weight, "(head two pair) ... -> (head pair two) ...", head=heads, two=2)
