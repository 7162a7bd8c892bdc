"""What every attention here is made of: the factor of RMSNorm, and the softmax within sequences of unequal lengths."""

from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

SHORT = 512  # tokens; up to it, plain products beat PyTorch's fused attention on a CPU, in bf16 backward 3 to 5 times


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
    groups: tuple[tuple[int, int], ...],
) -> Float[Tensor, "s n head e"]:
    """Softmax attention within each sequence: one call for each group of equally long ones."""
    if len(groups) == 1:
        return attend_equal(q, k, v)
    sizes = [count * length for count, length in groups]
    parts = zip(*(x[0].split(sizes) for x in (q, k, v)), strict=True)
    mixed = [
        attend_equal(*(rearrange(x, "(s n) head e -> s n head e", s=count) for x in qkv)).flatten(0, 1)
        for (count, _), qkv in zip(groups, parts, strict=True)
    ]
    return torch.cat(mixed)[None]


def attend_equal(
    q: Float[Tensor, "s n head e"], k: Float[Tensor, "s n head e"], v: Float[Tensor, "s n head e"]
) -> Float[Tensor, "s n head e"]:
    """Softmax attention within each of some equally long sequences."""
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    if q.device.type == "cpu" and q.shape[2] <= SHORT:
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        mixed = torch.softmax(scores, dim=-1) @ v  # sums in fp32
    else:
        mixed = F.scaled_dot_product_attention(q, k, v)
    return mixed.transpose(1, 2)
