"""What every attention here is made of: the factor of RMSNorm, and the softmax within sequences of unequal lengths."""

from collections.abc import Sequence
from itertools import accumulate, groupby, pairwise
from typing import Any, Protocol

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from mezzotint.models.attention_kernels import attend_equal

Groups = tuple[tuple[int, int], ...] | Int[Tensor, "ends"]
"""(sequences, tokens in each) of packed sequences. Or, on the CPU, where each begins in one row of tokens, and where
the last one ends: compiled code is the same for all such numbers."""


class Attend(Protocol):
    """Softmax attention within each sequence of packed queries, keys and values."""

    def __call__(
        self,
        q: Float[Tensor, "s n head e"],
        k: Float[Tensor, "s n head e"],
        v: Float[Tensor, "s n head e"],
        groups: Groups,
    ) -> Float[Tensor, "s n head e"]: ...


def inverse_rms(x: Float[Tensor, "*n d"], eps: float | Float[Tensor, "*n 1"]) -> Float[Tensor, "*n 1"]:
    """1 / √(mean(x²) + eps), the factor of RMSNorm (Zhang & Sennrich 2019).

    The sum runs in fp32 whatever the dtype. Its root is rounded to bf16, as the factor is; fp16 has not the range.
    """
    if torch.compiler.is_compiling() and torch.is_grad_enabled():  # a compiler fuses the plain formula and its gradient
        return torch.rsqrt(x.float().square().mean(-1, keepdim=True) + eps).to(x.dtype)
    return _InverseRms.apply(x, eps)


class _InverseRms(torch.autograd.Function):
    """With the gradient in closed form, −x · factor³ / d: that of a norm, which may be 0, takes longer."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float | Tensor) -> Tensor:
        kept = torch.float32 if x.dtype == torch.float16 else None  # asking for fp32 first copies all of x
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=kept).float()
        factor = torch.rsqrt(norm.square() / x.shape[-1] + eps)
        ctx.save_for_backward(x, factor)
        return factor.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, factor = ctx.saved_tensors
        return x * (gradient.float() * factor**3 / -x.shape[-1]).to(x.dtype), None


def attend(
    q: Float[Tensor, "s n head e"],
    k: Float[Tensor, "s n head e"],
    v: Float[Tensor, "s n head e"],
    groups: Groups,
) -> Float[Tensor, "s n head e"]:
    """Softmax attention within each sequence: one call for each group of equally long ones.

    Where the groups are a tensor, without gradients.
    """
    if isinstance(groups, Tensor):
        return torch.ops.mezzotint.attend(q, k, v, groups)
    if len(groups) == 1:
        return attend_equal(q, k, v)
    sizes = [count * length for count, length in groups]
    parts = zip(*(x[0].split(sizes) for x in (q, k, v)), strict=True)
    mixed = [
        attend_equal(*(rearrange(x, "(s n) head e -> s n head e", s=count) for x in qkv)).flatten(0, 1)
        for (count, _), qkv in zip(groups, parts, strict=True)
    ]
    return torch.cat(mixed)[None]


def equal_runs(ends: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """(sequences, tokens in each), from where each sequence begins and where the last one ends."""
    lengths = [end - start for start, end in pairwise(ends)]
    return tuple((len(list(equal)), length) for length, equal in groupby(lengths))


def ends_of(groups: tuple[tuple[int, int], ...]) -> Int[Tensor, "ends"]:
    """The way back."""
    lengths = [length for count, length in groups for _ in range(count)]
    return torch.tensor([*accumulate(lengths, initial=0)])


@torch.library.custom_op(
    "mezzotint::attend", mutates_args=(), schema="(Tensor q, Tensor k, Tensor v, Tensor ends) -> Tensor"
)
def _attend_opaquely(q: Tensor, k: Tensor, v: Tensor, ends: Tensor) -> Tensor:
    """`attend` as one operation that a compiler does not look into: how many sequences there are, how long they are
    and which kernel runs is decided when it runs."""
    groups = equal_runs(ends.tolist())
    if len(groups) == 1:
        q, k, v = (rearrange(x, "1 (s n) head e -> s n head e", s=groups[0][0]) for x in (q, k, v))
    return attend(q, k, v, groups).flatten(0, 1)[None].contiguous()


@_attend_opaquely.register_fake
def _like_queries(q: Tensor, k: Tensor, v: Tensor, ends: Tensor) -> Tensor:
    return torch.empty_like(q, memory_format=torch.contiguous_format)
