"""Where the tokens of a batch lie: two streams, captions and pictures, each packed without any padding.

A picture's clean references, if it is an edit, follow it in its sequence. Sequences with equally long captions and
equally many picture tokens lie beside each other, and attention runs once for each such group.

Everything here depends on sizes only, never on weights, time or content, and is kept for the next call.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.models.dual_stream.config import DualStreamConfig
from mezzotint.models.dual_stream.rotary import angles, caption_positions, picture_positions
from mezzotint.models.packing import Size, gather, row_of_each, run, starts
from mezzotint.models.rotary import Rotary, cosines_and_sines


class Group(NamedTuple):
    """Alike sequences: how many, and the tokens of caption and of picture and references in each."""

    sequences: int
    text: int
    picture: int


class StreamLayout(NamedTuple):
    """One stream's tokens. Where all sequences are alike, axis s is the sequence; else s is 1 and n runs over all.

    Attributes:
        source: For each token its index in the batch's order; None where it is the same.
        rows: The time of each token, by which it picks its modulation; None where it is the index on axis s.
    """

    source: Int[Tensor, "n"] | None
    rotary: Rotary
    rows: Int[Tensor, "s n"] | None


class BatchGeometry(NamedTuple):
    """Both streams and how they meet.

    Attributes:
        groups: All sequences, in packed order; a tensor where all tokens lie in one row (`attention.py`).
        picture: Its `source` counts the patches of all pictures first, then those of all references.
        patches: For each patch of the batch's pictures its index among the picture tokens; None where it is the same.
        patch_rows: The picture of each patch; None where all have as many patches.
        clean_row: The row of reference tokens that are modulated as clean, after one for each picture; None without.
    """

    groups: tuple[Group, ...] | Int[Tensor, "ends 2"]
    text: StreamLayout
    picture: StreamLayout
    patches: Int[Tensor, "p"] | None
    patch_rows: Int[Tensor, "1 p"] | None
    clean_row: int | None


@torch.compiler.disable
@lru_cache(maxsize=256)
@torch.inference_mode(False)  # what is kept may be asked for again by a training step
def batch_geometry(
    config: DualStreamConfig,
    sizes: tuple[Size, ...],
    references: tuple[tuple[Size, ...], ...],
    captions: tuple[int, ...],
    device: torch.device,
) -> BatchGeometry:
    """The geometry of pictures of these sizes, each with its references and its caption of so many tokens.

    Raises:
        InputError: A caption is empty, or a picture or a caption reaches beyond the published positions.
    """
    if min(captions) < 1:
        raise InputError(f"caption {captions.index(min(captions))} has no tokens, at least one is needed")
    together = [(size, *others) for size, others in zip(sizes, references, strict=True)]
    patches = [_area(size) for size in sizes]
    tokens = [sum(map(_area, pictures)) for pictures in together]
    keys = list(zip(captions, tokens, strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__) if len(set(keys)) > 1 else list(range(len(keys)))
    groups = tuple(Group(len(list(alike)), *key) for key, alike in groupby(keys[i] for i in order))

    text = [caption_positions(length, pictures) for length, pictures in zip(captions, together, strict=True)]
    picture = [torch.cat([picture_positions(size, i) for i, size in enumerate(pictures)]) for pictures in together]
    moved = order != list(range(len(order)))
    clean_row = len(sizes) if config.zero_cond_t and any(references) else None
    rows = None if len(groups) == 1 else row_of_each(captions, order)[None].to(device)
    mixed = moved or tokens != patches
    in_place = torch.cat([run(start, count) for start, count in zip(starts(tokens, order), patches, strict=True)])
    return BatchGeometry(
        groups=groups,
        text=StreamLayout(
            gather(order, captions).to(device) if moved else None, _rotary(config, groups, order, text, device), rows
        ),
        picture=StreamLayout(
            _picture_source(patches, tokens, order).to(device) if mixed else None,
            _rotary(config, groups, order, picture, device),
            _picture_rows(patches, tokens, order, groups, clean_row, device),
        ),
        patches=in_place.to(device) if mixed else None,
        patch_rows=None if len(set(patches)) == 1 else row_of_each(patches, range(len(patches)))[None].to(device),
        clean_row=clean_row,
    )


def _area(size: Size) -> int:
    return size[0] * size[1]


def _rotary(
    config: DualStreamConfig,
    groups: tuple[Group, ...],
    order: Sequence[int],
    positions: Sequence[Int[Tensor, "_ 3"]],
    device: torch.device,
) -> Rotary:
    tables = cosines_and_sines(angles(config, torch.cat([positions[i] for i in order])))
    return Rotary(*(table.view(_axis(groups), -1, 1, 1, config.head_dim).to(device) for table in tables))


def _axis(groups: tuple[Group, ...]) -> int:
    """The length of axis s."""
    return groups[0].sequences if len(groups) == 1 else 1


def _picture_source(patches: Sequence[int], tokens: Sequence[int], order: Sequence[int]) -> Int[Tensor, "n"]:
    """Each picture's patches, then its references', out of [all pictures, all references]."""
    others = [count - own for count, own in zip(tokens, patches, strict=True)]
    in_order = range(len(patches))
    own_starts, other_starts = starts(patches, in_order), starts(others, in_order)
    own = [run(own_starts[i], patches[i]) for i in in_order]
    other = [run(sum(patches) + other_starts[i], others[i]) for i in in_order]
    return torch.cat([torch.cat([own[i], other[i]]) for i in order])


def _picture_rows(
    patches: Sequence[int],
    tokens: Sequence[int],
    order: Sequence[int],
    groups: tuple[Group, ...],
    clean_row: int | None,
    device: torch.device,
) -> Int[Tensor, "s n"] | None:
    """Each token's picture, or the clean row for the tokens of references."""
    if clean_row is None and len(groups) == 1:
        return None
    rows = row_of_each(tokens, order)
    if clean_row is not None:
        places = torch.cat([run(0, tokens[i]) for i in order])
        rows = torch.where(places < torch.tensor(patches)[rows], rows, clean_row)
    return rows.view(_axis(groups), -1).to(device)
