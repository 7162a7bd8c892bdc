"""Which concepts of an embedded reference corpus another embedded corpus lacks, and how many pictures to gather.

<out>    JSON lines, the emptiest concept first: its name, a caption, pictures that the corpus has, and wants
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mezzotint.curation.vectors.embedding import PICTURES, read_embedders
from mezzotint.curation.vectors.rows import read_rows
from mezzotint.curation.vectors.vector_file import open_vectors
from mezzotint.curation.vectors.voids import count_near, find_voids, sampling_plan
from mezzotint.errors import InputError
from mezzotint.runtime import atomic


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A concept that is missing: `there` pictures are nearest to it, `wanted` are to be gathered."""

    concept: str
    caption: str
    there: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """Of `concepts` in all those that are missing, the emptiest first."""

    concepts: int
    voids: tuple[Gap, ...]


def find_gaps(
    vectors: Path, reference: Path, out: Path, *, least_share: float, least_cosine: float, budget: int
) -> Gaps:
    """Compare two folders of `embed_corpus` by their pictures alone, and write the gaps.

    Args:
        least_share: A concept is missing that has less of the corpus than this share of what it has of the reference.
        least_cosine: A picture further than this from all of the reference belongs to no concept.
        budget: Pictures that can be gathered for the missing concepts; 0 fills them to their share.

    Raises InputError for corpora that were embedded differently, or a reference without concepts.
    """
    if read_embedders(vectors).pictures != read_embedders(reference).pictures:
        raise InputError(f"{vectors} and {reference} were embedded by two embedders: embed both alike")
    rows = read_rows(reference)
    named = [place for place, row in enumerate(rows) if row.concept is not None]
    if not named:
        raise InputError(f"no picture of {reference} says its concept: it cannot tell what is missing")
    names = sorted({str(rows[place].concept) for place in named})
    concepts = np.searchsorted(names, [str(rows[place].concept) for place in named])
    counts = count_near(
        open_vectors(vectors / f"{PICTURES}.npy"),
        np.asarray(open_vectors(reference / f"{PICTURES}.npy")[named], np.float32),
        concepts,
        least_cosine=least_cosine,
    )
    weights = np.bincount(concepts)
    voids = find_voids(counts, weights, least_share)
    captions = {str(rows[place].concept): rows[place].caption for place in reversed(named)}
    if budget and voids.size:
        wanted = sampling_plan(counts[voids], weights[voids], budget)
    else:
        wanted = _to_their_share(counts, weights)[voids]
    gaps = tuple(
        Gap(concept=names[void], caption=captions[names[void]], there=int(counts[void]), wanted=int(number))
        for void, number in zip(voids, wanted, strict=True)
    )
    atomic.write_text(out, "".join(json.dumps(asdict(gap), ensure_ascii=False) + "\n" for gap in gaps))
    return Gaps(concepts=len(names), voids=gaps)


def _to_their_share(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What each concept lacks to have as much for its weight as those that have some have on the whole."""
    there = counts > 0
    level = counts[there].sum() / max(int(weights[there].sum()), 1)
    return np.maximum(np.ceil(level * weights - counts), 0).astype(np.int64)
