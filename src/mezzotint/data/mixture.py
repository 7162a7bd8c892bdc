"""Batches from several sources, each in a share of the steps."""

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from mezzotint.data.loader import Batches
from mezzotint.errors import InputError
from mezzotint.runtime.seeds import Seeds

B_co = TypeVar("B_co", covariant=True)
_BLOCK = 1000  # steps whose sources are drawn at once


class Mixture(Generic[B_co]):
    """Draws the source of every step by its share; each source gives its own batches one after the other.

    A pure function of (seed, step), like its sources.

    Raises:
        InputError: A share is not above 0, or they do not sum to 1.
    """

    def __init__(self, sources: Sequence[Batches[B_co]], shares: Sequence[float], seed: int) -> None:
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            raise InputError(f"shares of a mixture are above 0 and sum to 1, these are {list(shares)}")
        self._sources, self._shares, self._seeds = sources, np.array(shares) / sum(shares), Seeds(seed)
        self._drawn: list[Int[ndarray, block]] = []
        self._before: list[Int[ndarray, sources]] = [np.zeros(len(sources), np.int64)]

    def at(self, step: int) -> B_co:
        block, offset = divmod(step, _BLOCK)
        while len(self._drawn) <= block:
            self._draw()
        drawn = self._drawn[block]
        source = drawn[offset]
        earlier = self._before[block][source] + np.count_nonzero(drawn[:offset] == source)
        return self._sources[source].at(int(earlier))

    def _draw(self) -> None:
        """The sources of another block of steps, and how often each came before the next one."""
        rng, count = self._seeds.numpy("source", len(self._drawn)), len(self._sources)
        self._drawn.append(rng.choice(count, size=_BLOCK, p=self._shares))
        self._before.append(self._before[-1] + np.bincount(self._drawn[-1], minlength=count))
