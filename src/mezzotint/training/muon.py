"""Muon (Jordan et al. 2024) for weights of any rank: a convolution counts as the matrix of outputs by everything else.

`torch.optim.Muon` takes matrices only; on those, both take the same steps.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
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
    """

    def __init__(self, params: Any, *, lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step for every parameter that has a gradient; `closure` is not used."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._step_one(weight, weight.grad, group["lr"], group["momentum"], group["weight_decay"])

    def _step_one(self, weight: Tensor, gradient: Tensor, lr: float, momentum: float, weight_decay: float) -> None:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        average = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        update = rearrange(gradient.lerp(average, momentum), "out ... -> out (...)")
        size = 0.2 * math.sqrt(max(update.shape))
        weight.mul_(1 - lr * weight_decay)
        weight.add_(orthogonalize(update).view_as(weight), alpha=-lr * size)


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
