"""Communities of vectors that are near to one another: the copies, versions and series of one picture.

Pairs of neighbours whose cosine reaches a threshold are the edges of a graph. Its connected components are communities,
except for the large ones, which chains of likenesses hold together: Leiden (Traag, Waltman & van Eck 2019) divides
these by modularity, with the cosines as weights.

Modularity alone divides a small component too far and a large one not far enough (Fortunato & Barthélemy 2007). At
resolution γ, two halves of m alike vectors in a component of n have as many edges between them as are expected where
m = n/γ. So γ = n/large, whatever n is, leaves about `large` vectors together that are all alike.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int, Int64
from numpy import ndarray

from mezzotint.curation.vectors.neighbours import Neighbours
from mezzotint.curation.vectors.vector_file import ROWS_AT_ONCE
from mezzotint.errors import InputError, MissingDependencyError

try:
    import networkit
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
except ImportError as cause:
    raise MissingDependencyError(
        "communities are found with scipy and NetworKit: pip install -e '.[curation]'"
    ) from cause


@dataclass(frozen=True, kw_only=True)
class Leiden:
    """How a large component is divided.

    With one thread, the default, the same seed gives the same communities; with more, they may differ.
    """

    rounds: int = 3
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Two vectors of at least this cosine are alike; a component of more than `large` vectors is divided.

    The default is ours: series of one picture are smaller.
    """

    cosine: float
    large: int = 64
    leiden: Leiden = Leiden()

    def __post_init__(self) -> None:
        if not -1 <= self.cosine <= 1:
            raise InputError(f"cosine {self.cosine:g} is no threshold: it lies between -1 and 1")


@dataclass(frozen=True, eq=False)
class Edges:
    """Pairs of vectors and their cosines. A pair may stand there in both directions."""

    first: Int64[ndarray, "e"]
    second: Int64[ndarray, "e"]
    cosines: Float32[ndarray, "e"]


def find_communities(neighbours: Neighbours, grouping: Grouping) -> Int64[ndarray, "n"]:
    """Of each vector the community that it belongs to, named by its first member."""
    count = len(neighbours.indices)
    edges = _edges(neighbours, grouping.cosine)
    graph = coo_array((np.ones(len(edges.first), np.int8), (edges.first, edges.second)), shape=(count, count))
    components = connected_components(graph, directed=False)[1].astype(np.int64)
    communities = _named(components)
    sizes = np.bincount(communities, minlength=count)
    for members, inside in _large_components(communities, sizes, edges, grouping.large):
        resolution = len(members) / grouping.large
        communities[members] = members[_named(_leiden(len(members), inside, resolution, grouping.leiden))]
    return communities


def stays(communities: Int64[ndarray, "n"], order: Int[ndarray, "n"]) -> Int64[ndarray, "n"]:
    """Of each vector the one that stays for its community: the first of it in `order`, which is best first."""
    first = np.full(len(communities), -1, np.int64)
    first[communities[order[::-1]]] = order[::-1]  # where several are written to one place, the last one counts
    return first[communities]


def _edges(neighbours: Neighbours, least: float) -> Edges:
    """The pairs that are alike enough; the neighbours are read as a stream."""
    parts = []
    for start in range(0, len(neighbours.indices), ROWS_AT_ONCE):
        indices = np.asarray(neighbours.indices[start : start + ROWS_AT_ONCE])
        cosines = np.asarray(neighbours.cosines[start : start + ROWS_AT_ONCE])
        row, column = np.nonzero((cosines >= least) & (indices >= 0))
        parts.append((row + start, indices[row, column], cosines[row, column]))
    return Edges(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _named(labels: Int[ndarray, "n"]) -> Int64[ndarray, "n"]:
    """The same partition, each part under the number of its first member."""
    _, first, part = np.unique(labels, return_index=True, return_inverse=True)
    return first[part].astype(np.int64)


def _large_components(
    components: Int64[ndarray, "n"], sizes: Int64[ndarray, "n"], edges: Edges, large: int
) -> Iterator[tuple[Int64[ndarray, "m"], Edges]]:
    """The members, rising, and the edges, between places among the members, of each component that is large."""
    members = np.flatnonzero(sizes[components] > large)
    members = members[np.argsort(components[members], kind="stable")]
    inside = np.flatnonzero(sizes[components[edges.first]] > large)
    inside = inside[np.argsort(components[edges.first[inside]], kind="stable")]
    names, starts = np.unique(components[members], return_index=True)
    pieces = np.searchsorted(components[edges.first[inside]], names)
    for own, between in zip(np.split(members, starts[1:]), np.split(inside, pieces[1:]), strict=True):
        if len(own):
            first, second = (np.searchsorted(own, end[between]) for end in (edges.first, edges.second))
            yield own, _each_pair_once(Edges(first, second, edges.cosines[between]))


def _each_pair_once(edges: Edges) -> Edges:
    low, high = np.minimum(edges.first, edges.second), np.maximum(edges.first, edges.second)
    _, kept = np.unique(low * (high.max() + 1) + high, return_index=True)
    return Edges(low[kept], high[kept], edges.cosines[kept])


def _leiden(count: int, edges: Edges, resolution: float, leiden: Leiden) -> Int64[ndarray, "n"]:
    """A label of each of `count` vectors that one component connects."""
    ends = (edges.first.astype(np.uint64), edges.second.astype(np.uint64))
    weights = np.clip(edges.cosines, np.finfo(np.float32).tiny, None).astype(np.float64)
    with _seeded(leiden):
        graph = networkit.GraphFromCoo((weights, ends), n=count, weighted=True)
        found = networkit.community.ParallelLeiden(graph, iterations=leiden.rounds, gamma=resolution)
        return np.array(found.run().getPartition().getVector(), np.int64)


@contextmanager
def _seeded(leiden: Leiden) -> Iterator[None]:
    """NetworKit's seed and threads are those of the whole process: the threads are given back."""
    before = networkit.getMaxNumberOfThreads()
    networkit.setNumberOfThreads(leiden.threads)
    networkit.setSeed(leiden.seed, False)
    try:
        yield
    finally:
        networkit.setNumberOfThreads(before)
