"""Which training pictures are to blame for failures: the communities that bad pictures are near to, and good ones not.

Every generated picture, with its prompt, divides one unit among the training pictures that are nearest to it, each with
its caption (`retrieval.joint`). A community's blame is what it has of failures, its credit what it has of successes, so
what every picture is near to is not blamed for it.

A failure may be learned from bad pictures or not be learned at all: then it looks less like the pictures of its prompt
than like others. So what looks much more like another training picture than like the nearest of its prompt is put down
to none; how much is much, the successes show.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64
from numpy import ndarray

from mezzotint.curation.vectors.cells import Cells
from mezzotint.curation.vectors.nearest import NONE
from mezzotint.curation.vectors.retrieval import Hits, look_up
from mezzotint.curation.vectors.vector_file import blocks, in_fp32
from mezzotint.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """How blame is shared out, and when a community is to be pruned. The limits are ours.

    Attributes:
        nearest: Training pictures that share the unit of a generated one.
        temperature: The cosine by which one must be nearer to get e times as much.
        least_rate: Of blame in blame and credit, as failures and successes weigh the same in all.
        least_blame: In failures; less is no evidence.
        unlike: What looks more like another training picture than like its first hit is set aside: by more than all but
            this share of the successes do, 0 to 1. Without successes nothing is.
    """

    nearest: int = 16
    probes: int = 64
    temperature: float = 0.05
    least_rate: float = 0.7
    least_blame: float = 1.0
    unlike: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One community of training pictures, by its first member: failures and successes that came of it."""

    community: int
    members: int
    blame: float
    credit: float
    rate: float  # 0 to 1: blame's share, as if there were as many successes as failures


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """The communities that have any blame, the one that explains most failures beyond its successes first."""

    suspects: tuple[Suspect, ...]
    prune: Int64[ndarray, "m"]  # the training pictures of those that are to be pruned, by position, rising
    unexplained: int  # failures that were set aside: not learned, or not from these


def diagnose(
    cells: Cells,
    communities: Int64[ndarray, "n"],
    *,
    pictures: Float[ndarray, "n p"],
    failed: Float[ndarray, "f d"],
    succeeded: Float[ndarray, "s d"],
    how: Diagnosis,
) -> Findings:
    """Rank the communities of the training set by what they have to do with failures.

    Args:
        cells: Of the training pictures' joint vectors.
        communities: Of each training picture, as `find_communities` names them.
        pictures: The first half of the joint vectors, at length one: how the training pictures look.
        failed, succeeded: Joint vectors of generated pictures and their prompts; there may be no successes.

    Raises InputError where there are no failures, `unlike` is no share, or pictures or communities are of other
    vectors.
    """
    if not len(failed):
        raise InputError("there are no failures to diagnose: give at least one failed picture with its prompt")
    if not 0 <= how.unlike <= 1:
        raise InputError(f"the share of successes unlike their pictures is {how.unlike}; give one from 0 to 1")
    if not len(communities) == len(pictures) == len(cells.members):
        raise InputError(
            f"{len(pictures)} pictures and communities of {len(communities)} do not fit {len(cells.members)} vectors"
        )
    bad, good = (look_up(cells, generated, how.nearest, how.probes) for generated in (failed, succeeded))
    behind, allowed = (_behind(*pair, pictures) for pair in ((bad, failed), (good, succeeded)))
    limit = np.quantile(allowed, 1 - how.unlike) if len(succeeded) else np.inf
    blame = _shares(bad, behind <= limit, communities, how.temperature)
    credit = _shares(good, allowed <= limit, communities, how.temperature)
    expected = credit * blame.sum() / max(credit.sum(), np.finfo(float).tiny)
    rate = blame / np.maximum(blame + expected, np.finfo(float).tiny)
    sizes = np.bincount(communities, minlength=len(communities))
    accused = np.flatnonzero(blame > 0)
    accused = accused[np.argsort(expected[accused] - blame[accused], kind="stable")]
    suspects = tuple(
        Suspect(
            community=int(name),
            members=int(sizes[name]),
            blame=float(blame[name]),
            credit=float(credit[name]),
            rate=float(rate[name]),
        )
        for name in accused
    )
    guilty = (rate >= how.least_rate) & (blame >= how.least_blame)
    return Findings(
        suspects=suspects, prune=np.flatnonzero(guilty[communities]), unexplained=int((behind > limit).sum())
    )


def _behind(hits: Hits, generated: Float[ndarray, "g d"], pictures: Float[ndarray, "n p"]) -> Float32[ndarray, "g"]:
    """How much less a generated picture looks like its first hit than like what it looks like most: cosines."""
    looks = generated[:, : pictures.shape[1]].astype(np.float32) * np.float32(2**0.5)  # see `joint`
    most = np.full(len(looks), -1, np.float32)
    for _, block in blocks(pictures, "the pictures"):
        np.maximum(most, (looks @ block.T).max(axis=1), out=most)
    return most - np.einsum("gp,gp->g", looks, in_fp32(pictures[hits.indices[:, 0]]))


def _shares(
    hits: Hits, counted: Bool[ndarray, "g"], communities: Int64[ndarray, "n"], temperature: float
) -> Float64[ndarray, "n"]:
    """What each community, by its name, has of the generated pictures that count; in all, their number."""
    weights = np.exp((hits.cosines - hits.cosines[:, :1]).astype(np.float64) / temperature)
    weights = np.where(hits.indices == NONE, 0, weights)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(float).tiny)  # nothing is near to an empty cell
    weights *= counted[:, None]
    return np.bincount(communities[hits.indices].ravel(), weights.ravel(), minlength=len(communities))
