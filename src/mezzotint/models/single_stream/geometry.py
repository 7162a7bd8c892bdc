"""Where the tokens of a batch lie: unequal captions and pictures in one packed row, without padding to the longest.

Each picture and each caption is lengthened to a multiple of 32 with learned pad tokens, because the published network
was trained so (they are attended to like any other token). Beyond that nothing is padded: the sequences of a batch lie
one after another, the equally long ones beside each other, and attention runs once for each such group.

Everything here depends on sizes only, never on weights, time or content, and is kept for the next call.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.models.attention import Groups, ends_of
from mezzotint.models.packing import Size, gather, row_of_each, run, starts
from mezzotint.models.rotary import Rotary
from mezzotint.models.single_stream.config import SingleStreamConfig
from mezzotint.models.single_stream.rotary import RotaryTables

PAD_MULTIPLE = 32


class Layout(NamedTuple):
    """Packed sequences. Where all are equally long, axis s is the sequence; else s is 1 and n runs over all tokens.

    Attributes:
        groups: (sequences, tokens in each), in packed order; where they end, in a layout `in_one_row`.
        rows: The sequence of each token, by which it picks its modulation; None where it is the index on axis s.
            A network with clean reference pictures puts their tokens on rows of their own, at t = 1.
    """

    groups: Groups
    rotary: Rotary
    rows: Int[Tensor, "s n"] | None

    @property
    def in_one_row(self) -> "Layout":
        """The same with all tokens in one row, whether the sequences are equally long or not."""
        if isinstance(self.groups, Tensor):
            return self
        sequences, tokens = self.rotary.cos.shape[:2]
        rows = self.rows
        if rows is None and sequences > 1:
            rows = torch.arange(sequences, device=self.rotary.cos.device)[:, None].expand(-1, tokens)
        rotary = Rotary(*(table.flatten(0, 1)[None] for table in self.rotary))
        return Layout(ends_of(self.groups), rotary, None if rows is None else rows.reshape(1, -1))


class Filling(NamedTuple):
    """How packed tokens are made from embedded ones: which each takes, and which are learned pad tokens instead."""

    source: Int[Tensor, "n"]
    is_pad: Bool[Tensor, "n 1"]


class ConditionGeometry(NamedTuple):
    """A refiner's sequences: captions, or what else the network is told.

    `restore` brings packed tokens back into the batch's order (None: they are).
    """

    layout: Layout
    filling: Filling | None
    restore: Int[Tensor, "n"] | None


class BatchGeometry(NamedTuple):
    """The picture refiner's sequence and the joint one.

    Attributes:
        join: For each joint token its index in [packed picture tokens, caption tokens].
        patches: For each patch of the batch, in its order, its index among the joint tokens.
        patch_rows: The picture of each patch; None where all have as many patches.
    """

    picture: Layout
    filling: Filling | None
    joint: Layout
    join: Int[Tensor, "n"]
    patches: Int[Tensor, "p"]
    patch_rows: Int[Tensor, "1 p"] | None


def padded(length: int) -> int:
    """The length with the learned pad tokens; what is empty is pads alone."""
    return max(PAD_MULTIPLE, length + -length % PAD_MULTIPLE)


@torch.compiler.disable
@lru_cache(maxsize=256)
@torch.inference_mode(False)  # what is kept may be asked for again by a training step
def caption_geometry(config: SingleStreamConfig, lengths: tuple[int, ...], device: torch.device) -> ConditionGeometry:
    """The geometry of captions with these numbers of tokens (before padding).

    Raises:
        InputError: A caption is empty or longer than the position table.
    """
    if min(lengths) < 1:
        raise InputError(f"caption {lengths.index(min(lengths))} has no tokens, at least one is needed")
    positions = [caption_positions(padded(length)) for length in lengths]
    return condition_geometry(config, [(length,) for length in lengths], positions, device)


@torch.compiler.disable
@lru_cache(maxsize=256)
@torch.inference_mode(False)
def batch_geometry(
    config: SingleStreamConfig, sizes: tuple[Size, ...], captions: tuple[int, ...], device: torch.device
) -> BatchGeometry:
    """The geometry of pictures of these sizes, each with its caption of so many tokens (after padding).

    Raises:
        InputError: A picture or a caption is larger than the position table.
    """
    patches = [rows * columns for rows, columns in sizes]
    pictures = [padded(count) for count in patches]
    positions = [picture_positions(size, caption + 1) for size, caption in zip(sizes, captions, strict=True)]
    joint_positions = [
        torch.cat([picture, caption_positions(caption)]) for picture, caption in zip(positions, captions, strict=True)
    ]
    check_positions(config, joint_positions)
    picture_order, joint_order = by_length(pictures), by_length([len(ids) for ids in joint_positions])

    # Which tokens of [packed pictures, captions] follow each other in the joint sequence.
    picture_starts = starts(pictures, picture_order)
    caption_starts = [sum(pictures) + start for start in starts(captions, range(len(captions)))]
    join = [torch.cat([run(picture_starts[i], pictures[i]), run(caption_starts[i], captions[i])]) for i in joint_order]
    joint_starts = starts([len(ids) for ids in joint_positions], joint_order)
    patch_rows = None if len(set(patches)) == 1 else row_of_each(patches, range(len(patches)))[None].to(device)
    return BatchGeometry(
        picture=layout_of(config, picture_order, positions, device),
        filling=filling_of(patches, picture_order, device),
        joint=layout_of(config, joint_order, joint_positions, device),
        join=torch.cat(join).to(device),
        patches=torch.cat([run(start, count) for start, count in zip(joint_starts, patches, strict=True)]).to(device),
        patch_rows=patch_rows,
    )


def condition_geometry(
    config: SingleStreamConfig,
    parts: Sequence[Sequence[int]],
    positions: Sequence[Int[Tensor, "_ 3"]],
    device: torch.device,
) -> ConditionGeometry:
    """The geometry of sequences at these positions, each of parts with so many tokens; pads follow every part.

    Raises:
        InputError: A position is beyond the table.
    """
    check_positions(config, positions)
    full = [len(ids) for ids in positions]
    order = by_length(full)
    inverse = [order.index(i) for i in range(len(full))]
    restore = None if inverse == order == sorted(order) else gather(inverse, [full[i] for i in order]).to(device)
    counts, lengths = [len(one) for one in parts], [length for one in parts for length in one]
    filling = filling_of(lengths, gather(order, counts).tolist(), device)
    return ConditionGeometry(layout_of(config, order, positions, device), filling, restore)


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _rotary_tables(config: SingleStreamConfig) -> RotaryTables:
    return RotaryTables(config)


def layout_of(
    config: SingleStreamConfig, order: Sequence[int], positions: Sequence[Int[Tensor, "_ 3"]], device: torch.device
) -> Layout:
    """Sequences with these token positions, packed in this order."""
    lengths = [len(positions[i]) for i in order]
    groups = tuple((len(list(equal)), length) for length, equal in groupby(lengths))
    count = len(order) if len(groups) == 1 else 1
    cos, sin = _rotary_tables(config).at(torch.cat([positions[i] for i in order]))
    rotary = Rotary(*(table.view(count, -1, 1, 1, table.shape[-1]).to(device) for table in (cos, sin)))
    rows = None if len(groups) == 1 else row_of_each([len(p) for p in positions], order)[None].to(device)
    return Layout(groups, rotary, rows)


def filling_of(lengths: Sequence[int], order: Sequence[int], device: torch.device) -> Filling | None:
    """From tokens without pads in the batch's order to packed ones with pads; None where that is the same."""
    if list(order) == sorted(order) and all(length == padded(length) for length in lengths):
        return None
    begins = starts(lengths, range(len(lengths)))
    places = [torch.arange(padded(lengths[i])) for i in order]
    source = [begins[i] + place.clamp(max=lengths[i] - 1) for i, place in zip(order, places, strict=True)]
    is_pad = [place >= lengths[i] for i, place in zip(order, places, strict=True)]
    return Filling(torch.cat(source).to(device), torch.cat(is_pad)[:, None].to(device))


def by_length(lengths: Sequence[int]) -> list[int]:
    """An order in which equal lengths are neighbours; the batch's own where all are equal."""
    return sorted(range(len(lengths)), key=lengths.__getitem__)


def caption_positions(length: int) -> Int[Tensor, "n 3"]:
    """(1 + i, 0, 0), counting on through the pads."""
    positions = torch.zeros(length, 3, dtype=torch.long)
    positions[:, 0] = run(1, length)
    return positions


def picture_positions(size: Size, order: int) -> Int[Tensor, "n 3"]:
    """(order, row, column) of each patch; (0, 0, 0) for the pads."""
    rows, columns = size
    positions = torch.zeros(padded(rows * columns), 3, dtype=torch.long)
    positions[: rows * columns] = torch.cartesian_prod(torch.tensor([order]), torch.arange(rows), torch.arange(columns))
    return positions


def check_positions(config: SingleStreamConfig, positions: Sequence[Int[Tensor, "_ 3"]]) -> None:
    for ids in positions:
        for axis, last, length in zip(("order", "row", "column"), ids.amax(0).tolist(), config.axes_lens, strict=True):
            if last >= length:
                raise InputError(
                    f"position {last} on the {axis} axis is beyond this model's {length}: "
                    f"a shorter prompt or a smaller picture would do"
                )
