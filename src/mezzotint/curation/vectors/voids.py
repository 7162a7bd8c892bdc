"""What a corpus lacks: concepts of a reference set that too few of its pictures are near to, and how to fill them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Int64
from numpy import ndarray

from mezzotint.curation.vectors.nearest import nearest
from mezzotint.curation.vectors.vector_file import blocks
from mezzotint.errors import InputError


def count_near(
    vectors: Float[ndarray, "n d"],
    references: Float[ndarray, "r d"],
    concepts: Int[ndarray, "r"],
    *,
    least_cosine: float,
) -> Int64[ndarray, "c"]:
    """How many vectors belong to each concept: that of the nearest reference, if it is at least so near.

    Args:
        vectors: Of the corpus, read as a stream.
        references: Pictures of concepts, or their names where the embedder knows texts.
        concepts: What each reference is of, from 0.
        least_cosine: What is further from all references belongs to none.
    """
    counts = np.zeros(int(concepts.max()) + 1, np.int64)
    for _, block in blocks(vectors, "the corpus"):
        cosines, found = nearest(block, references, 1)
        counts += np.bincount(concepts[found[cosines >= least_cosine]], minlength=len(counts))
    return counts


def find_voids(
    counts: Int[ndarray, "c"], weights: Sequence[float] | Float[ndarray, "c"], least_share: float
) -> Int64[ndarray, "v"]:
    """The concepts that have less than `least_share` of what their weight in the reference asks for, emptiest first.

    The counts are compared with a total that is shared out by weight. Raises InputError for weights that are not
    positive.
    """
    share = counts / (max(int(np.sum(counts)), 1) * _normalized(weights))
    order = np.argsort(share, kind="stable")
    return order[share[order] < least_share]


def sampling_plan(
    counts: Int[ndarray, "c"], weights: Sequence[float] | Float[ndarray, "c"], budget: int
) -> Int64[ndarray, "c"]:
    """How many pictures to gather of each concept, `budget` in all: the emptiest first, as water fills a vessel.

    After it, the concepts that were given some all have about the same count for their weight, and no other has less.
    Raises InputError for weights that are not positive.
    """
    weight = _normalized(weights)
    levels = counts / weight
    order = np.argsort(levels, kind="stable")
    # With the m emptiest filled, the level is (budget + their counts) / their weights; m is the last that it reaches.
    reached = (budget + np.cumsum(counts[order])) / np.cumsum(weight[order])
    level = reached[np.flatnonzero(reached >= levels[order])[-1]]
    exact = np.maximum(level * weight - counts, 0)
    plan = np.floor(exact).astype(np.int64)
    plan[np.argsort(plan - exact, kind="stable")[: budget - int(plan.sum())]] += 1  # the largest remainders
    return plan


def _normalized(weights: Sequence[float] | Float[ndarray, "c"]) -> Float[ndarray, "c"]:
    weight = np.asarray(weights, np.float64)
    if not (weight > 0).all():
        raise InputError(f"a concept has weight {weight.min():g}: leave out what is not wanted")
    return weight / weight.sum()
