"""Captions of a batch as a transformer wants them at every step of a run, prepared once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Captions:
    """Embedded captions, one after another: what a network's layers need of them at every step.

    Attributes:
        tokens: All tokens, in the batch's order, with the network's learned pads if it has any.
        lengths: Tokens of each caption.
    """

    tokens: Float[Tensor, "n d"]
    lengths: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.lengths)

    def select(self, indices: Sequence[int]) -> "Captions":
        """Some of them, in this order; an index may come twice."""
        parts = self.tokens.split(self.lengths)
        return Captions(torch.cat([parts[i] for i in indices]), tuple(self.lengths[i] for i in indices))

    @staticmethod
    def concat(captions: Sequence["Captions"]) -> "Captions":
        """One batch after another."""
        lengths = tuple(length for one in captions for length in one.lengths)
        return Captions(torch.cat([one.tokens for one in captions]), lengths)
