"""fp16 without overflow in the feed-forward layers, whose products leave its range in the released weights.

A bound of every number that arises there follows from the weights' norms and the input's (Cauchy–Schwarz): with rows
w of a matrix, |w · x| ≤ ‖w‖‖x‖, so |silu(w1 x) · w3 x| ≤ a₁a₃‖x‖², and of the last product |y| ≤ a₂a₁‖w3‖‖x‖², where
a is the largest norm of a row. An input is scaled down as far as this bound asks for, by a power of two.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.models.single_stream.model import FeedForward

MOST = 65504.0 / 2  # half of the largest fp16, for roundings
POWER_STEPS = 8  # of the iteration for a spectral norm
MARGIN = 1.25  # above what that iteration has found


def hold_in_range(network: nn.Module) -> None:
    """Tell every feed-forward layer how large its input may be; call it again when weights have changed."""
    for block in network.modules():
        if isinstance(block, FeedForward):
            block.reach = reach_of(block.w13.weight, block.w2.weight)


@torch.no_grad()
def reach_of(w13: Float[Tensor, "two_hidden d"], w2: Float[Tensor, "d hidden"]) -> float:
    """The norm of x up to which no number of w2(silu(w1 x) · w3 x) exceeds MOST."""
    gate, value = w13.float().chunk(2)
    a1, a3, a2 = (float(matrix.norm(dim=1).max()) for matrix in (gate, value, w2.float()))
    squares = a1 * max(a3, a2 * spectral_norm(value))
    linear = max(a1, a3)
    return min(MOST / max(linear, 1e-30), math.sqrt(MOST / max(squares, 1e-30)))


def spectral_norm(matrix: Float[Tensor, "n d"]) -> float:
    """‖matrix‖₂, about from above: power iteration, and a margin."""
    x = torch.ones(matrix.shape[1], device=matrix.device) / matrix.shape[1] ** 0.5
    x = x + 0.5 * torch.randn(len(x), generator=torch.Generator("cpu").manual_seed(0)).to(x) / len(x) ** 0.5
    norm = 0.0
    for _ in range(POWER_STEPS):
        y = matrix @ x
        norm = float(y.norm() / x.norm().clamp_min(1e-30))
        x = matrix.T @ y
        x = x / x.norm().clamp_min(1e-30)
    return MARGIN * norm
