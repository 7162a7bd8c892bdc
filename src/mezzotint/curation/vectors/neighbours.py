"""The nearest neighbours of all vectors, by overlapping cells.

A vector's neighbours are looked for in the cells that are nearest to it: the candidates of an inverted file (Jégou et
al. 2011), but all of a task's vectors that look into a cell do so at once, in one matrix product. A task is a group of
cells that lie near to one another; it reads its own vectors and the cells around them, so tasks run anywhere.

    <folder>/made_of.json      the source's digest and the settings
    <folder>/cells/            see cells.py; serves later searches too
    <folder>/part-00000.npy    what one group found; gone when all are there
    <folder>/neighbours.npy    "n" rows of k indices and k cosines

A killed run goes on at the group that it had come to.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64
from numpy import ndarray

from mezzotint.curation.runner import Progress, silent
from mezzotint.curation.vectors.cells import Cells, Partition, open_cells, sort_into_cells
from mezzotint.curation.vectors.nearest import LEAST, NONE, Nearest, nearest
from mezzotint.curation.vectors.vector_file import create_array, open_vectors
from mezzotint.data.manifest import StoredFile
from mezzotint.errors import InputError
from mezzotint.runtime import atomic
from mezzotint.runtime.made_of import keep_only

_LOOKS_AT_ONCE = 1 << 19  # of a vector into a cell; few of them into each make slow products
_RESULT = "neighbours.npy"


# `map`, or `curation.engine.distribute` with its workers and resources: a function's results, in any order.
Distribute = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """Of each of n vectors the k nearest others by cosine, nearest first; where there are fewer, index −1."""

    indices: Int64[ndarray, "n k"]
    cosines: Float32[ndarray, "n k"]


def all_neighbours(
    source: Path,
    folder: Path,
    *,
    k: int,
    partition: Partition,
    search: Nearest = nearest,
    distribute: Distribute = map,
    progress: Progress = silent,
) -> Neighbours:
    """Find what is not found yet; returns a mapping of the result's file.

    Args:
        search: Among the vectors of a cell. distribute: The groups over processes or machines that see the folder.

    Raises the errors of `sort_into_cells`, InputError for a k below 1.
    """
    if k < 1:
        raise InputError(f"k is {k}: at least 1 neighbour is looked for")
    open_vectors(source)
    made_of = {"source": StoredFile.of(source).sha256, "k": k, "partition": asdict(partition)}
    keep_only(folder, made_of, (_RESULT, "part-*.npy", "cells"))
    if not (folder / _RESULT).is_file():
        if not (folder / "cells").is_dir():
            sort_into_cells(source, folder / "cells", partition, search)
        cells = open_cells(folder / "cells")
        _search_groups(folder, cells, k, search, distribute, progress)
        _gather(folder, cells, k)
    found = np.load(folder / _RESULT, mmap_mode="r")
    return Neighbours(indices=found["index"], cosines=found["cosine"])


def merged(first: Neighbours, second: Neighbours) -> Neighbours:
    """The nearest k that two searches of the same vectors have found, say with two seeds."""
    k = first.indices.shape[1]
    indices = np.concatenate([first.indices, second.indices], axis=1)
    cosines = np.concatenate([first.cosines, second.cosines], axis=1)
    order = np.argsort(indices, axis=1, kind="stable")
    by_index = np.take_along_axis(indices, order, axis=1)
    again = np.zeros_like(order, dtype=bool)
    np.put_along_axis(again, order[:, 1:], by_index[:, 1:] == by_index[:, :-1], axis=1)
    indices, cosines = np.where(again, NONE, indices), np.where(again, LEAST, cosines)
    best = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return Neighbours(
        indices=np.take_along_axis(indices, best, axis=1), cosines=np.take_along_axis(cosines, best, axis=1)
    )


def _search_groups(
    folder: Path, cells: Cells, k: int, search: Nearest, distribute: Distribute, progress: Progress
) -> None:
    parts = {group: _part(folder, group) for group in range(len(cells.groups) - 1)}
    missing = [group for group, path in parts.items() if not path.is_file()]
    bounds = cells.starts[cells.groups]
    with progress("neighbours", int(sum(bounds[group + 1] - bounds[group] for group in missing))) as advance:
        for vectors in distribute(_SearchGroup(folder, k, search), missing):
            advance(vectors)


def _part(folder: Path, group: int) -> Path:
    return folder / f"part-{group:05d}.npy"


@dataclass(frozen=True)
class _SearchGroup:
    """Finds the neighbours of one group's vectors, wherever that is; returns their number."""

    folder: Path
    k: int
    search: Nearest

    def __call__(self, group: int) -> int:
        cells = open_cells(self.folder / "cells")
        first, last = (int(cells.starts[cell]) for cell in cells.groups[group : group + 2])
        found = np.empty(last - first, _row(self.k))
        step = max(1, _LOOKS_AT_ONCE // cells.probes.shape[1])
        for start in range(first, last, step):
            end = min(start + step, last)
            rows = found[start - first : end - first]
            # One more than k, as each finds itself.
            more = cells.look_up(cells.vectors[start:end], cells.probes[start:end], self.k + 1, self.search)
            rows["cosine"], rows["index"] = _without_itself(*more, cells.members[start:end])
        with atomic.file(_part(self.folder, group)) as temporary, temporary.open("wb") as file:
            np.save(file, found)
        return len(found)


def _without_itself(
    cosines: Float32[ndarray, "q k+1"], indices: Int64[ndarray, "q k+1"], own: Int64[ndarray, "q"]
) -> tuple[Float32[ndarray, "q k"], Int64[ndarray, "q k"]]:
    """One less of each; where a vector did not find itself among its equals, the last goes."""
    order = np.argsort(indices == own[:, None], axis=1, kind="stable")[:, :-1]
    return np.take_along_axis(cosines, order, axis=1), np.take_along_axis(indices, order, axis=1)


def _gather(folder: Path, cells: Cells, k: int) -> None:
    """The parts as one file, in the order of the source."""
    parts = [_part(folder, group) for group in range(len(cells.groups) - 1)]
    with atomic.file(folder / _RESULT) as temporary:
        result = create_array(temporary, _row(k), (len(cells.members),))
        start = 0
        for path in parts:
            part = np.load(path, mmap_mode="r")
            result[cells.members[start : start + len(part)]] = part
            start += len(part)
        result.flush()
    for path in parts:
        path.unlink()


def _row(k: int) -> np.dtype[Any]:
    return np.dtype([("index", "<i8", (k,)), ("cosine", "<f4", (k,))])
