"""Optimisers as configurations that build `torch.optim` ones over named fp32 master weights.

Every parameter group carries its own `peak_lr`; the schedule multiplies it at each step.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.optim import Optimizer

from mezzotint.training import muon


@runtime_checkable
class OptimizerConfig(Protocol):
    """Anything that can build optimisers; the lists of parameters that they own must not overlap."""

    def build(self, masters: Mapping[str, Tensor]) -> list[Optimizer]: ...

    def with_rate(self, lr: float) -> "OptimizerConfig":
        """The same with another peak learning rate."""
        ...


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """Adam with decoupled weight decay on matrices only: no decay on biases, norms and single tokens.

    `rates` multiplies the learning rate of the parameters whose name starts with a key.
    """

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    rates: Mapping[str, float]

    def with_rate(self, lr: float) -> "AdamW":
        return replace(self, lr=lr)

    def build(self, masters: Mapping[str, Tensor]) -> list[Optimizer]:
        if not masters:
            return []
        groups = list(_groups(masters, self.lr, self.weight_decay, self.rates))
        fused = all(master.device.type in {"cpu", "cuda"} for master in masters.values())
        return [torch.optim.AdamW(groups, lr=self.lr, betas=self.betas, eps=self.eps, fused=fused)]


@dataclass(frozen=True, kw_only=True)
class Muon:
    """Orthogonalised momentum (Jordan et al. 2024) for the matrices under the prefixes `matrices`, AdamW for the rest.

    The step's size is matched to AdamW's (Liu et al. 2025), so both share one learning rate and one decay.
    """

    rest: AdamW
    matrices: tuple[str, ...]
    momentum: float

    def with_rate(self, lr: float) -> "Muon":
        return replace(self, rest=self.rest.with_rate(lr))

    def build(self, masters: Mapping[str, Tensor]) -> list[Optimizer]:
        chosen = {name: m for name, m in masters.items() if name.startswith(self.matrices) and is_matrix(m)}
        others = {name: m for name, m in masters.items() if name not in chosen}
        if not chosen:
            return self.rest.build(others)
        groups = list(_groups(chosen, self.rest.lr, self.rest.weight_decay, self.rest.rates))
        return [
            muon.Muon(groups, lr=self.rest.lr, momentum=self.momentum, weight_decay=self.rest.weight_decay),
            *self.rest.build(others),
        ]


def is_matrix(weight: Tensor) -> bool:
    """A weight that mixes channels; a bias, a norm's scale or a single token is not."""
    return weight.ndim >= 2 and weight.shape[0] > 1 and weight[0].numel() > 1


def _groups(
    masters: Mapping[str, Tensor], lr: float, weight_decay: float, rates: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    """Parameter groups by (rate, decay), in the order of first appearance."""
    members: dict[tuple[float, float], list[Tensor]] = {}
    for name, master in masters.items():
        rate = next((rate for prefix, rate in rates.items() if name.startswith(prefix)), 1.0)
        members.setdefault((rate, weight_decay if is_matrix(master) else 0.0), []).append(master)
    for (rate, decay), params in members.items():
        yield {"params": params, "lr": lr * rate, "peak_lr": lr * rate, "weight_decay": decay}
