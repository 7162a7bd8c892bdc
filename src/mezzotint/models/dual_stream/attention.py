"""Where the two streams meet: softmax attention over a caption and its picture together."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import NamedTuple, Protocol

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from mezzotint.models.attention_kernels import attend_equal
from mezzotint.models.dual_stream.geometry import BatchGeometry, Group, StreamLayout
from mezzotint.models.rotary import Rotary

Groups = tuple[Group, ...] | Int[Tensor, "ends 2"]
"""Alike sequences. Or, on the CPU, where each begins in one row of text tokens and one of picture tokens, and where the
last one ends: compiled code is the same for all such numbers."""


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


def alike_runs(ends: Sequence[Sequence[int]]) -> tuple[Group, ...]:
    """Groups, from where each sequence begins in both rows and where the last one ends."""
    lengths = [(text_end - text, end - picture) for (text, picture), (text_end, end) in pairwise(ends)]
    return tuple(Group(len(list(alike)), *both) for both, alike in groupby(lengths))


def ends_of(groups: tuple[Group, ...]) -> Int[Tensor, "ends 2"]:
    """The way back."""
    lengths = [(group.text, group.picture) for group in groups for _ in range(group.sequences)]
    return torch.tensor([(0, 0), *lengths]).cumsum(0)


def in_one_row(geometry: BatchGeometry, text_times: int, picture_times: int) -> BatchGeometry:
    """The same with all tokens of a stream in one row, whether the sequences are alike or not.

    Args:
        text_times, picture_times: How many times the tokens are told; the rows of a single one are left out.
    """
    if isinstance(geometry.groups, Tensor):
        return geometry
    text, picture = _row(geometry.text, text_times), _row(geometry.picture, picture_times)
    return geometry._replace(groups=ends_of(geometry.groups), text=text, picture=picture)


def _row(layout: StreamLayout, times: int) -> StreamLayout:
    sequences, tokens = layout.rotary.cos.shape[:2]
    rotary = Rotary(*(table.flatten(0, 1)[None] for table in layout.rotary))
    if times == 1:
        return layout._replace(rotary=rotary, rows=None)
    rows = layout.rows
    if rows is None:
        rows = torch.arange(sequences, device=rotary.cos.device)[:, None].expand(-1, tokens)
    return layout._replace(rotary=rotary, rows=rows.reshape(1, -1))


@torch.library.custom_op(
    "mezzotint::attend_jointly",
    mutates_args=(),
    schema="(Tensor text_qk, Tensor text_v, Tensor picture_qk, Tensor picture_v, Tensor ends) -> (Tensor, Tensor)",
)
def _attend_opaquely(
    text_qk: Tensor, text_v: Tensor, picture_qk: Tensor, picture_v: Tensor, ends: Tensor
) -> tuple[Tensor, Tensor]:
    """`attend_jointly` as one operation that a compiler does not look into (as `models.attention` has it)."""
    mixed = attend_jointly(Projected(text_qk, text_v), Projected(picture_qk, picture_v), alike_runs(ends.tolist()))
    text, picture = (x.flatten(0, 1)[None] for x in mixed)
    return text.clone(), picture  # they may be parts of one tensor, which an operation must not return


@_attend_opaquely.register_fake
def _like_values(
    text_qk: Tensor, text_v: Tensor, picture_qk: Tensor, picture_v: Tensor, ends: Tensor
) -> tuple[Tensor, Tensor]:
    return text_v.new_empty(text_v.flatten(2).shape), picture_v.new_empty(picture_v.flatten(2).shape)
