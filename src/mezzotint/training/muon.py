"""Muon (Jordan et al. 2024) for weights of any rank: a convolution counts as the matrix of outputs by everything else.

`torch.optim.Muon` takes matrices only; on those, both take the same steps.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

QUINTIC = (
    3.4445,
    -4.7750,
    2.0315,
)  # steepest at zero: small singular values rise fast, all end within about [0.7, 1.2]
ITERATIONS = 5


class Muon(Optimizer):
    """w ← (1 − lr·decay)·w − lr·0.2·√max(rows, columns) · orthogonalize(Nesterov momentum).

    The factor gives a step the size of an AdamW step (Liu et al. 2025), so that learning rates carry over.
    With a `group` of processes that hold the same gradients, each orthogonalizes a share of the matrices for all.
    """

    def __init__(self, params: Any, *, lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.group: dist.ProcessGroup | None = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step for every parameter that has a gradient; `closure` is not used."""
        moved = [
            (weight, weight.grad, group)
            for group in self.param_groups
            for weight in group["params"]
            if weight.grad is not None
        ]
        wanted = (self._averaged(weight, gradient, group["momentum"]) for weight, gradient, group in moved)
        for (weight, _, group), update in zip(moved, self._orthogonalized(wanted), strict=True):
            size = 0.2 * math.sqrt(max(update.shape))
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(update.view_as(weight), alpha=-group["lr"] * size)

    def _averaged(self, weight: Tensor, gradient: Tensor, momentum: float) -> Float[Tensor, "out in"]:
        """Nesterov momentum, as a matrix."""
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        average = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        return rearrange(gradient.lerp(average, momentum), "out ... -> out (...)")

    def _orthogonalized(self, matrices: Iterable[Tensor]) -> Iterable[Tensor]:
        if self.group is None:
            return map(orthogonalize, matrices)
        return orthogonalize_together(list(matrices), self.group)


def orthogonalize(matrix: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """About U·Vᵀ of the matrix's U·S·Vᵀ, by a quintic Newton-Schulz iteration in bfloat16; all zeros stay zeros."""
    a, b, c = QUINTIC
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp_min(1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)


def orthogonalize_together(matrices: Sequence[Tensor], group: dist.ProcessGroup) -> list[Tensor]:
    """`orthogonalize` of each, bit for bit, at every process, when all have the same matrices."""
    flat = matrices[0].new_zeros(sum(matrix.numel() for matrix in matrices), dtype=torch.bfloat16)
    places = flat.split([matrix.numel() for matrix in matrices])
    for matrix, place, owner in zip(matrices, places, _owners(matrices, group.size()), strict=True):
        if owner == group.rank():
            place.copy_(orthogonalize(matrix).flatten())
    dist.all_reduce(flat, group=group)
    return [place.view_as(matrix).to(matrix.dtype) for matrix, place in zip(matrices, places, strict=True)]


def _owners(matrices: Sequence[Tensor], count: int) -> list[int]:
    """Who does which, so that all have about as much to do: the costliest ones are given away first."""
    costs = [matrix.numel() * min(matrix.shape) for matrix in matrices]
    loads, owners = [0] * count, [0] * len(matrices)
    for index in sorted(range(len(matrices)), key=lambda index: -costs[index]):
        owners[index] = loads.index(min(loads))
        loads[owners[index]] += costs[index]
    return owners
