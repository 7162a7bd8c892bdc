"""What every attention here is made of: the factor of RMSNorm, and the softmax within sequences of unequal lengths."""

from typing import Any, Protocol

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from mezzotint.models.attention_kernels import attend_equal

Groups = tuple[tuple[int, int], ...] | Int[Tensor, "group 2"]
"""(sequences, tokens in each) of packed sequences. As a tensor on the CPU, compiled code does not depend on them."""


class Attend(Protocol):
    """Softmax attention within each sequence of packed queries, keys and values."""

    def __call__(
        self,
        q: Float[Tensor, "s n head e"],
        k: Float[Tensor, "s n head e"],
        v: Float[Tensor, "s n head e"],
        groups: Groups,
    ) -> Float[Tensor, "s n head e"]: ...


def inverse_rms(x: Float[Tensor, "*n d"], eps: float) -> Float[Tensor, "*n 1"]:
    """1 / √(mean(x²) + eps), the factor of RMSNorm (Zhang & Sennrich 2019).

    The sum runs in fp32 whatever the dtype. Its root is rounded to bf16, as the factor is; fp16 has not the range.
    """
    return _InverseRms.apply(x, eps)


class _InverseRms(torch.autograd.Function):
    """With the gradient in closed form, −x · factor³ / d: that of a norm, which may be 0, takes longer."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
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
    """Softmax attention within each sequence: one call for each group of equally long ones."""
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


@torch.library.custom_op(
    "mezzotint::attend", mutates_args=(), schema="(Tensor q, Tensor k, Tensor v, Tensor groups) -> Tensor"
)
def _attend_opaquely(q: Tensor, k: Tensor, v: Tensor, groups: Tensor) -> Tensor:
    """`attend` as one operation that a compiler does not look into: how many groups there are, how long they are and
    which kernel runs is decided when it runs. Without gradients."""
    return attend(q, k, v, tuple((count, length) for count, length in groups.tolist())).contiguous()


@_attend_opaquely.register_fake
def _like_queries(q: Tensor, k: Tensor, v: Tensor, groups: Tensor) -> Tensor:
    return torch.empty_like(q, memory_format=torch.contiguous_format)
