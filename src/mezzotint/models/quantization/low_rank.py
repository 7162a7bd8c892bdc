"""Four bits beside a low-rank branch that keeps most of what four bits lose (SVDQuant; Li et al. 2024, 2411.05007).

There outliers move from the activations into the weight, a branch of rank 32 takes its largest singular values, and
four bits what is left. Here activations stay as they are, and nothing has to be calibrated: columns are levelled by
their own size before the branch is taken, so that an outlier does not spoil the scales of its block.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from mezzotint.models.quantization.four_bits import NormalFloat4Linear

RANK = 32
OVERSAMPLED = 16  # further directions, while the largest are looked for
ITERATIONS = 4
LEAST_COLUMN = 2.0**-30  # of a column of zeros, as a share of the largest


class LowRankLinear(NormalFloat4Linear):
    """W = (residual + up · down) · diag(column), the residual in NormalFloat."""

    bits = 4.5  # 4.25 of the residual, and two thin matrices
    up: Tensor
    down: Tensor
    column: Tensor

    @property
    def rank(self) -> int:
        return min(RANK, self.in_features, self.out_features)

    def layout(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return super().layout() | {
            "up": ((self.out_features, self.rank), torch.bfloat16),
            "down": ((self.rank, self.in_features), torch.bfloat16),
            "column": ((self.in_features,), torch.float32),
        }

    def pack(self, weight: Float[Tensor, "out in"]) -> dict[str, Shaped[Tensor, "..."]]:
        column = column_sizes(weight)
        level = weight.float() / column
        up, down = largest(level, self.rank)
        residual = level.sub_(up.float() @ down.float())
        return super().pack(residual) | {"up": up, "down": down, "column": column}

    def unpack(self, start: int, stop: int, dtype: torch.dtype) -> Float[Tensor, "rows in"]:
        branch = self.up[start:stop].to(dtype) @ self.down.to(dtype)
        return (super().unpack(start, stop, dtype) + branch) * self.column.to(dtype)

    def forward(self, x: Float[Tensor, "*n in"]) -> Float[Tensor, "*n out"]:
        x = x * self.column.to(x.dtype)
        branch = F.linear(F.linear(x, self.down.to(x.dtype)), self.up.to(x.dtype))
        return super().forward(x) + branch

    def multiply(self, x: Float[Tensor, "*n in"], start: int, stop: int) -> Float[Tensor, "*n rows"]:
        """The residual's share; the branch is added to all rows at once."""
        return F.linear(x, super().unpack(start, stop, x.dtype))


def column_sizes(weight: Float[Tensor, "out in"]) -> Float[Tensor, "in"]:
    """The root of each column's mean square over all columns', itself under a root: half of an outlier's size, in
    logarithms, leaves the weight."""
    size = weight.float().square().mean(0).sqrt()
    return (size / size.max().clamp_min(torch.finfo(torch.float32).tiny)).clamp_min(LEAST_COLUMN).sqrt()


def largest(matrix: Float[Tensor, "out in"], rank: int) -> tuple[Float[Tensor, "out rank"], Float[Tensor, "rank in"]]:
    """The directions of the largest singular values, as two bf16 factors (Halko et al. 2009, arXiv 0909.4061, 4.4)."""
    wide = min(rank + OVERSAMPLED, *matrix.shape)
    generator = torch.Generator("cpu").manual_seed(0)
    probe = torch.randn(matrix.shape[1], wide, generator=generator).to(matrix.device)
    for _ in range(ITERATIONS):
        basis, _ = torch.linalg.qr(matrix @ probe)
        probe, _ = torch.linalg.qr(matrix.T @ basis)
    u, s, v = torch.linalg.svd(matrix @ probe, full_matrices=False)
    root = s[:rank].sqrt()
    return (u[:, :rank] * root).bfloat16(), (root[:, None] * (v[:rank] @ probe.T)).bfloat16()
