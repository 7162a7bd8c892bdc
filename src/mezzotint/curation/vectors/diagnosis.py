"""Which training pictures are to blame for failures: the communities that bad pictures are near to, and good ones not.

Every generated picture, with its prompt, divides one unit among the training pictures that are nearest to it, each with
its caption (`retrieval.joint`). A community's blame is what it has of failures, its credit what it has of successes, so
what every picture is near to is not blamed for it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy import ndarray

from mezzotint.curation.vectors.cells import Cells
from mezzotint.curation.vectors.nearest import NONE
from mezzotint.curation.vectors.retrieval import look_up
from mezzotint.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """How blame is shared out, and when a community is to be pruned. The limits are ours.

    Attributes:
        nearest: Training pictures that share the unit of a generated one.
        temperature: The cosine by which one must be nearer to get e times as much.
        least_rate: Of blame in blame and credit, as failures and successes weigh the same in all.
        least_blame: In failures; less is no evidence.
    """

    nearest: int = 16
    probes: int = 64
    temperature: float = 0.05
    least_rate: float = 0.8
    least_blame: float = 0.5


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


def diagnose(
    cells: Cells,
    communities: Int64[ndarray, "n"],
    *,
    failed: Float[ndarray, "f d"],
    succeeded: Float[ndarray, "s d"],
    how: Diagnosis,
) -> Findings:
    """Rank the communities of the training set by what they have to do with failures.

    Args:
        cells: Of the training pictures' joint vectors.
        communities: Of each training picture, as `find_communities` names them.
        failed, succeeded: Joint vectors of generated pictures and their prompts; there may be no successes.

    Raises InputError where there are no failures, or the communities are of other vectors.
    """
    if not len(failed):
        raise InputError("there are no failures to diagnose: give at least one failed picture with its prompt")
    if len(communities) != len(cells.members):
        raise InputError(f"communities of {len(communities)} pictures do not fit {len(cells.members)} vectors")
    blame, credit = (_shares(cells, communities, generated, how) for generated in (failed, succeeded))
    expected = credit * len(failed) / max(len(succeeded), 1)
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
    return Findings(suspects=suspects, prune=np.flatnonzero(guilty[communities]))


def _shares(
    cells: Cells, communities: Int64[ndarray, "n"], generated: Float[ndarray, "g d"], how: Diagnosis
) -> Float64[ndarray, "n"]:
    """What each community, by its name, has of the generated pictures; in all, their number."""
    if not len(generated):
        return np.zeros(len(communities))
    hits = look_up(cells, generated, how.nearest, how.probes)
    weights = np.exp((hits.cosines - hits.cosines[:, :1]).astype(np.float64) / how.temperature)
    weights = np.where(hits.indices == NONE, 0, weights)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(float).tiny)  # nothing is near to an empty cell
    return np.bincount(communities[hits.indices].ravel(), weights.ravel(), minlength=len(communities))
