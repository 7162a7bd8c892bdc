"""Rotary position embedding (Su et al. 2021): turning the channel pairs of a head by angles that tell a position.

Which angle a position has is each network's own matter (`single_stream/rotary.py`, `dual_stream/rotary.py`). Published
weights keep the two of a pair side by side. Ours, reordered when they are loaded (`fused_weights.py`), keep all first
members and then all second ones, so that turning a head is a product, a shift by half of it and another product, each
over contiguous memory.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Shaped
from torch import Tensor


class Rotary(NamedTuple):
    """Cosines, and sines with the sign of the shifted term, of every token (fp32)."""

    cos: Float[Tensor, "s n 1 1 e"]
    sin: Float[Tensor, "s n 1 1 e"]


def cosines_and_sines(angles: Float[Tensor, "n pairs"]) -> tuple[Float[Tensor, "n e"], Float[Tensor, "n e"]]:
    """Cosines and signed sines for both halves of a head's channels, e = 2 · pairs."""
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
