"""Sequences of unequal lengths, one after another in one row of tokens, instead of padded to the longest."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mezzotint.errors import InputError

Size = tuple[int, int]  # rows and columns of patches


def patch_sizes(latents: Tensor | Sequence[Tensor], channels: int, p: int) -> tuple[Size, ...]:
    """Rows and columns of patches, p latent pixels wide and high, of each picture.

    Raises:
        InputError: A picture has other channels, or a side that is no multiple of the patch.
    """
    for picture in latents:
        if picture.shape[0] != channels or picture.shape[1] % p or picture.shape[2] % p:
            raise InputError(
                f"latents of shape {tuple(picture.shape)}: {channels} channels and sides in multiples of {p} fit"
            )
    return tuple((picture.shape[1] // p, picture.shape[2] // p) for picture in latents)


def starts(lengths: Sequence[int], order: Sequence[int]) -> list[int]:
    """Where each sequence begins when they are packed in this order."""
    ends = accumulate((lengths[i] for i in order), initial=0)
    begins = dict(zip(order, ends, strict=False))
    return [begins[i] for i in range(len(lengths))]


def run(start: int, length: int) -> Int[Tensor, "n"]:
    """Indices of tokens that follow each other."""
    return torch.arange(start, start + length)


def gather(order: Sequence[int], lengths: Sequence[int]) -> Int[Tensor, "n"]:
    """Token indices that bring packed sequences of these lengths into another order."""
    begins = starts(lengths, range(len(lengths)))
    return torch.cat([run(begins[i], lengths[i]) for i in order])


def row_of_each(lengths: Sequence[int], order: Sequence[int]) -> Int[Tensor, "n"]:
    """The sequence of each token when they are packed in this order."""
    return torch.repeat_interleave(torch.tensor(order), torch.tensor([lengths[i] for i in order]))


def spread(per_row: Float[Tensor, "m *k d"], rows: Int[Tensor, "s n"] | None) -> Float[Tensor, "#s #n *k d"]:
    """What each row holds, to its tokens: by broadcasting where one row serves a whole sequence or all of them."""
    return per_row[:, None] if rows is None or len(per_row) == 1 else per_row[rows]
