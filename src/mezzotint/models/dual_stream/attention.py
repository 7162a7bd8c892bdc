"""Where the two streams meet: softmax attention over a caption and its picture together."""

from typing import NamedTuple, Protocol

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from mezzotint.models.attention_kernels import attend_equal
from mezzotint.models.dual_stream.geometry import Group

Groups = tuple[Group, ...] | Int[Tensor, "group 3"]
"""Alike sequences. As a tensor on the CPU, compiled code does not depend on them."""


class Projected(NamedTuple):
    """What a stream brings to attention: queries and keys, normalised and turned, and values."""

    qk: Float[Tensor, "s n 2 head e"]
    v: Float[Tensor, "s n head e"]


class AttendJointly(Protocol):
    """Softmax attention over [caption, picture] of each sequence; what each stream gets of it."""

    def __call__(
        self, text: Projected, picture: Projected, groups: Groups
    ) -> tuple[Float[Tensor, "s t d"], Float[Tensor, "s p d"]]: ...


def attend_jointly(
    text: Projected, picture: Projected, groups: Groups
) -> tuple[Float[Tensor, "s t d"], Float[Tensor, "s p d"]]:
    """Softmax attention over [caption, picture] of each sequence, once for each group of alike ones."""
    if isinstance(groups, Tensor):
        return torch.ops.mezzotint.attend_jointly(*text, *picture, groups)
    text_parts = zip(*(of_groups(x, [(group.sequences, group.text) for group in groups]) for x in text), strict=True)
    picture_parts = zip(
        *(of_groups(x, [(group.sequences, group.picture) for group in groups]) for x in picture), strict=True
    )
    text_mixed, picture_mixed = [], []
    for group, words, patches in zip(groups, text_parts, picture_parts, strict=True):
        qk, v = (torch.cat(both, dim=1) for both in zip(words, patches, strict=True))
        q, k = qk.unbind(2)
        mixed = rearrange(attend_equal(q, k, v), "s n head e -> s n (head e)")
        text_mixed.append(mixed[:, : group.text].contiguous())  # else the next layer adds its bias apart
        picture_mixed.append(mixed[:, group.text :].contiguous())
    if len(groups) == 1:
        return text_mixed[0], picture_mixed[0]
    text_out, picture_out = (torch.cat([x.flatten(0, 1) for x in parts]) for parts in (text_mixed, picture_mixed))
    return text_out[None], picture_out[None]


def of_groups(x: Float[Tensor, "s n *k"], sizes: list[tuple[int, int]]) -> list[Float[Tensor, "_ _ *k"]]:
    """The sequences of each group, (how many, tokens in each), out of a stream."""
    parts = x.flatten(0, 1).split([count * length for count, length in sizes])
    return [part.unflatten(0, size) for part, size in zip(parts, sizes, strict=True)]


@torch.library.custom_op(
    "mezzotint::attend_jointly",
    mutates_args=(),
    schema="(Tensor text_qk, Tensor text_v, Tensor picture_qk, Tensor picture_v, Tensor groups) -> (Tensor, Tensor)",
)
def _attend_opaquely(
    text_qk: Tensor, text_v: Tensor, picture_qk: Tensor, picture_v: Tensor, groups: Tensor
) -> tuple[Tensor, Tensor]:
    """`attend_jointly` as one operation that a compiler does not look into (as `models.attention` has it)."""
    known = tuple(Group(*group) for group in groups.tolist())
    return attend_jointly(Projected(text_qk, text_v), Projected(picture_qk, picture_v), known)


@_attend_opaquely.register_fake
def _like_values(
    text_qk: Tensor, text_v: Tensor, picture_qk: Tensor, picture_v: Tensor, groups: Tensor
) -> tuple[Tensor, Tensor]:
    return text_v.new_empty(text_v.flatten(2).shape), picture_v.new_empty(picture_v.flatten(2).shape)
