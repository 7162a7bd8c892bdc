"""Changes of a matrix W, "out in", that are stored in less room than the matrix. All is computed in fp32.

`scale` is α / rank: what a file calls alpha makes the change's size independent of its rank.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Form(Protocol):
    """A change ΔW."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def delta(self) -> Float[Tensor, "out in"]: ...


@dataclass(frozen=True)
class LowRank:
    """LoRA: ΔW = scale · up · down (Hu et al. 2021, arXiv 2106.09685, section 4.1)."""

    down: Float[Tensor, "rank in"]
    up: Float[Tensor, "out rank"]
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.up.shape[0], self.down.shape[1]

    def delta(self) -> Float[Tensor, "out in"]:
        return self.scale * (self.up.float() @ self.down.float())


@dataclass(frozen=True)
class Hadamard:
    """LoHa: ΔW = scale · (w1_a · w1_b) ⊙ (w2_a · w2_b) (Hyeon-Woo et al. 2021, arXiv 2108.06098, proposition 1)."""

    w1_a: Float[Tensor, "out rank"]
    w1_b: Float[Tensor, "rank in"]
    w2_a: Float[Tensor, "out rank2"]
    w2_b: Float[Tensor, "rank2 in"]
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.w1_a.shape[0], self.w1_b.shape[1]

    def delta(self) -> Float[Tensor, "out in"]:
        return self.scale * (self.w1_a.float() @ self.w1_b.float()) * (self.w2_a.float() @ self.w2_b.float())


@dataclass(frozen=True)
class Kronecker:
    """LoKr: ΔW = scale · w1 ⊗ w2 (Yeh et al. 2023, arXiv 2309.14859, section 3.1); either may be a product."""

    w1: Float[Tensor, "out1 in1"]
    w2: Float[Tensor, "out2 in2"]
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.w1.shape[0] * self.w2.shape[0], self.w1.shape[1] * self.w2.shape[1]

    def delta(self) -> Float[Tensor, "out in"]:
        return self.scale * torch.kron(self.w1.float(), self.w2.float())


@dataclass(frozen=True)
class Change:
    """A form, and with DoRA a magnitude m: W becomes m · (W + ΔW) / ‖W + ΔW‖ (Liu et al. 2024, arXiv 2402.09353, eq. 5)

    The norm is each row's when there is a magnitude for every row, "out 1", else each column's, "1 in".
    """

    form: Form
    magnitude: Float[Tensor, "#out #in"] | None

    def of(
        self, weight: Float[Tensor, "rows in"], strength: float, order: Int[Tensor, "rows"]
    ) -> Float[Tensor, "rows in"]:
        """What to add to a matrix whose rows are the form's in another order, in fp32."""
        order = order.to(weight.device)
        delta = strength * self.form.delta().to(weight.device)[order]
        if self.magnitude is None:
            return delta
        base = weight.float()
        adapted = base + delta
        per_row = self.magnitude.shape[0] == self.form.shape[0]
        norm = torch.linalg.vector_norm(adapted, dim=1 if per_row else 0, keepdim=True)
        magnitude = self.magnitude.float().to(weight.device)
        return adapted * (magnitude[order] if per_row else magnitude) / norm - base

    @property
    def needs_weight(self) -> bool:
        """Whether `forward` looks at the weight: a plain low rank does not."""
        return not isinstance(self.form, LowRank) or self.magnitude is not None

    def forward(
        self,
        x: Float[Tensor, "*n in"],
        weight: Float[Tensor, "rows in"] | None,
        strength: float,
        order: Int[Tensor, "rows"],
    ) -> Float[Tensor, "*n rows"]:
        """What to add to x · Wᵀ; a plain low rank stays low."""
        if isinstance(self.form, LowRank) and self.magnitude is None:
            down, up = self.form.down.to(x), self.form.up.to(x)[order.to(x.device)]
            return strength * self.form.scale * ((x @ down.T) @ up.T)
        assert weight is not None  # whoever calls has asked `needs_weight`
        return x @ self.of(weight, strength, order).to(x.dtype).T
