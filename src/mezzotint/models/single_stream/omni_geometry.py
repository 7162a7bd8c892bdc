"""Where the tokens lie of a picture that is made from other pictures (Z-Image Omni).

A caption comes in segments with the pictures between them: segment, picture, segment, picture, …, segment. Pictures are
clean references and, last, the target, which is made. A vision tower may tell what each reference shows. The sequence
is [caption segments, pictures, vision]; every part is lengthened to a multiple of 32 by itself. Tokens of references,
and of the segments before them, are told the time t = 1 (clean), all others the target's.

Positions are those of the published code (diffusers, `patchify_and_embed_omni`), with its oddities, since the released
weights have learned them:

- segments count on without their pads, and two places are free behind each, for its picture and for what vision tells;
- a padded segment has positions for its pads twice, and the whole row of them is cut off at its end: what follows a
  padded segment stands at places of tokens before it;
- what vision tells is stretched over the latents of its picture, and places are rounded down.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from mezzotint.models.packing import Size, run, starts
from mezzotint.models.single_stream.config import SingleStreamConfig
from mezzotint.models.single_stream.geometry import (
    BatchGeometry,
    Filling,
    Layout,
    by_length,
    check_positions,
    filling_of,
    layout_of,
    padded,
    picture_positions,
)


class OmniSizes(NamedTuple):
    """What one picture is made from.

    Attributes:
        segments: Tokens of each caption segment, without pads; segment j stands before picture j.
        references: Rows and columns of patches of each reference.
        vision: Rows and columns of what a vision tower tells of each; empty without a tower.
    """

    segments: tuple[int, ...]
    references: tuple[Size, ...]
    vision: tuple[Size, ...]

    @property
    def ends(self) -> list[int]:
        """The place behind each segment, on the axis of order: its picture's."""
        return [1 + end + 2 * j for j, end in enumerate(accumulate(self.segments))]


class Parts(NamedTuple):
    """A sequence: the tokens of each part without pads, and the position of every token."""

    lengths: tuple[int, ...]
    positions: Int[Tensor, "n 3"]

    def rows(self, references: int, own: int, clean: int) -> Int[Tensor, "n"]:
        """The row of times of each token: `clean` in so many first parts, then the picture's `own`."""
        rows = ([clean] * references + [own] * len(self.lengths))[: len(self.lengths)]
        full = [padded(length) for length in self.lengths]
        return torch.repeat_interleave(torch.tensor(rows, dtype=torch.long), torch.tensor(full, dtype=torch.long))


def caption_parts(sizes: OmniSizes) -> Parts:
    """The segments of one caption."""
    orders = []
    for end, length in zip(sizes.ends, sizes.segments, strict=True):
        orders += [run(end - length, padded(length)), torch.zeros(padded(length) - length, dtype=torch.long)]
    count = sum(padded(length) for length in sizes.segments)
    positions = torch.zeros(count, 3, dtype=torch.long)
    positions[:, 0] = torch.cat(orders)[:count]
    return Parts(sizes.segments, positions)


def picture_parts(sizes: OmniSizes, target: Size) -> Parts:
    """The references and the target."""
    pictures = (*sizes.references, target)
    positions = [picture_positions(size, order) for size, order in zip(pictures, sizes.ends, strict=False)]
    return Parts(tuple(rows * columns for rows, columns in pictures), torch.cat(positions))


def vision_parts(config: SingleStreamConfig, sizes: OmniSizes) -> Parts:
    """What vision tells of each reference, and 32 pads for the target, of which it can tell nothing."""
    if not sizes.vision:
        return Parts((), torch.zeros(0, 3, dtype=torch.long))
    positions = []
    for seen, reference, end in zip(sizes.vision, sizes.references, sizes.ends, strict=False):
        ids = picture_positions(seen, end + 1)
        ids[:, 1:] = _stretched(ids[:, 1:], seen, (config.patch_size * reference[0], config.patch_size * reference[1]))
        positions.append(ids)
    nothing = torch.zeros(padded(0), 3, dtype=torch.long)
    return Parts((*(rows * columns for rows, columns in sizes.vision), 0), torch.cat([*positions, nothing]))


def _stretched(ids: Int[Tensor, "n 2"], seen: Size, latents: Size) -> Int[Tensor, "n 2"]:
    """Rows and columns of a grid, over the rows and columns of latents; in fp32, as published, then rounded down."""
    last, last_latent = torch.tensor(seen) - 1, torch.tensor(latents) - 1
    return (ids.float() / last.clamp(min=1) * last_latent).long()


class _Sequence(NamedTuple):
    """The joint sequence of one picture."""

    captions: Parts
    pictures: Parts
    vision: Parts

    @property
    def positions(self) -> Int[Tensor, "n 3"]:
        return torch.cat([part.positions for part in self])

    @property
    def target(self) -> int:
        """Where the target begins."""
        return len(self.captions.positions) + len(self.pictures.positions) - padded(self.pictures.lengths[-1])


@torch.compiler.disable
@lru_cache(maxsize=256)
@torch.inference_mode(False)
def omni_geometry(
    config: SingleStreamConfig, sizes: tuple[OmniSizes, ...], targets: tuple[Size, ...], device: torch.device
) -> BatchGeometry:
    """The geometry of targets of these sizes, each with what it is made from.

    The rows of times are the batch's and, behind them, the clean one. Patches are those of all references, then of all
    targets; captions are all captions, then all that vision tells.

    Raises:
        InputError: A picture or a caption is larger than the position table.
    """
    batch = [
        _Sequence(caption_parts(one), picture_parts(one, target), vision_parts(config, one))
        for one, target in zip(sizes, targets, strict=True)
    ]
    pictures, joint = [one.pictures.positions for one in batch], [one.positions for one in batch]
    check_positions(config, joint)
    picture_order, joint_order = by_length(_lengths(pictures)), by_length(_lengths(joint))
    rows = [
        [part.rows(len(one.references), i, len(batch)) for part in sequence]
        for i, (one, sequence) in enumerate(zip(sizes, batch, strict=True))
    ]
    counts = [one.pictures.lengths[-1] for one in batch]
    begins = [start + one.target for start, one in zip(starts(_lengths(joint), joint_order), batch, strict=True)]
    return BatchGeometry(
        picture=_timed(layout_of(config, picture_order, pictures, device), [rows[i][1] for i in picture_order]),
        filling=_filling(batch, picture_order, device),
        joint=_timed(layout_of(config, joint_order, joint, device), [row for i in joint_order for row in rows[i]]),
        join=_join(batch, picture_order, joint_order).to(device),
        patches=torch.cat([run(begin, count) for begin, count in zip(begins, counts, strict=True)]).to(device),
        patch_rows=torch.repeat_interleave(torch.tensor(counts))[None].to(device),
    )


def _timed(layout: Layout, rows: Sequence[Int[Tensor, "_"]]) -> Layout:
    """A layout whose tokens are told these times."""
    times = torch.cat(list(rows)).view(layout.rotary.cos.shape[:2])
    return layout._replace(rows=times.to(layout.rotary.cos.device))


def _filling(batch: Sequence[_Sequence], order: Sequence[int], device: torch.device) -> Filling | None:
    """From the embedded patches of all references, then of all targets, to each picture's references and target."""
    references = [one.pictures.lengths[:-1] for one in batch]
    first, count = starts([len(lengths) for lengths in references], range(len(batch))), sum(map(len, references))
    lengths = [length for one in references for length in one] + [one.pictures.lengths[-1] for one in batch]
    parts = [part for i in order for part in (*range(first[i], first[i] + len(references[i])), count + i)]
    return filling_of(lengths, parts, device)


def _join(batch: Sequence[_Sequence], picture_order: Sequence[int], joint_order: Sequence[int]) -> Int[Tensor, "n"]:
    """For each joint token its index in [packed pictures, captions, vision]."""
    kinds = [[len(part.positions) for part in kind] for kind in zip(*batch, strict=True)]
    captions, pictures, vision = kinds
    natural = range(len(batch))
    before = (sum(pictures), 0, sum(pictures) + sum(captions))
    begins = [starts(captions, natural), starts(pictures, picture_order), starts(vision, natural)]
    return torch.cat(
        [
            run(offset + begin[i], length[i])
            for i in joint_order
            for offset, begin, length in zip(before, begins, kinds, strict=True)
        ]
    )


def _lengths(sequences: Sequence[Int[Tensor, "_ 3"]]) -> list[int]:
    return [len(positions) for positions in sequences]
