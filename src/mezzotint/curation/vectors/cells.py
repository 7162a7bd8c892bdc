"""Vectors sorted into cells, each cell's beside one another, so that a search reads a few short pieces of a long file.

    <folder>/centroids.npy   "cell d", float32; the cells of a group follow one another
    <folder>/groups.npy      "group+1": where each group of cells begins
    <folder>/starts.npy      "cell+1": where each cell's vectors begin in the files below
    <folder>/members.npy     "n": which vector stands there
    <folder>/vectors.npy     "n d": the vectors, in the type of their source
    <folder>/probes.npy      "n p", int32: the cells that are nearest to each; its own is the first

The source is read twice from end to end; memory holds 16 bytes a vector and the centroids. The same source and settings
give the same files.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int, Int32, Int64
from numpy import ndarray

from mezzotint.curation.vectors.nearest import (
    LEAST,
    NONE,
    Nearest,
    in_threads,
    merge,
    nearest,
    sample,
    spherical_k_means,
)
from mezzotint.curation.vectors.vector_file import (
    check_lengths,
    create_array,
    in_fp32,
    open_vectors,
    read_block,
    row_blocks,
)
from mezzotint.data.manifest import StoredFile
from mezzotint.errors import InputError
from mezzotint.runtime import atomic
from mezzotint.runtime.made_of import keep_only

_FILES = ("centroids", "groups", "starts", "members", "vectors", "probes")


@dataclass(frozen=True, kw_only=True)
class Partition:
    """How vectors are sorted into cells.

    A cell holds about `vectors_a_cell`; a vector is looked up in the `probes` cells that are nearest to it. More of
    either finds more true neighbours, in time that grows with their product. About `cells_a_group` cells that are near
    to one another are the work of one task.
    """

    vectors_a_cell: int = 256
    probes: int = 8
    cells_a_group: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.vectors_a_cell, self.probes, self.cells_a_group) < 1:
            raise InputError(
                f"{self.vectors_a_cell} vectors a cell, {self.probes} probes and {self.cells_a_group} cells a group: "
                "at least 1 of each"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """The files of a folder, mapped; see the head of this module."""

    centroids: Float32[ndarray, "c d"]
    groups: Int64[ndarray, "g+1"]
    starts: Int64[ndarray, "c+1"]
    members: Int64[ndarray, "n"]
    vectors: Float[ndarray, "n d"]
    probes: Int32[ndarray, "n p"]

    def look_up(
        self, queries: Float[ndarray, "q d"], probes: Int[ndarray, "q p"], k: int, search: Nearest = nearest
    ) -> tuple[Float32[ndarray, "q k"], Int64[ndarray, "q k"]]:
        """The nearest k vectors of those in the cells that each query probes: cosines, falling, and the source's
        indices, −1 where there are fewer."""
        shape = (probes.shape[1], len(queries), k)
        cosines, indices = np.full(shape, LEAST, np.float32), np.full(shape, NONE, np.int64)
        by_cell = np.argsort(probes, axis=None, kind="stable")
        wanted, pieces = np.unique(probes.ravel()[by_cell], return_index=True)

        def look_into(cell_and_who: tuple[int, Int64[ndarray, "l"]]) -> None:
            cell, looking = cell_and_who
            inside = slice(self.starts[cell], self.starts[cell + 1])
            if inside.start == inside.stop:
                return
            query, probe = np.divmod(looking, probes.shape[1])
            cosine, index = search(in_fp32(queries[query]), in_fp32(self.vectors[inside]), k)
            cosines[probe, query] = cosine
            indices[probe, query] = np.where(index == NONE, NONE, self.members[inside][index])

        in_threads(look_into, zip(wanted, np.split(by_cell, pieces[1:]), strict=True))
        return merge(cosines, indices)


def open_cells(folder: Path) -> Cells:
    return Cells(**{name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in _FILES})


def cells_of(source: Path, folder: Path, partition: Partition) -> Cells:
    """The cells of a file of vectors, made once in the folder and kept.

    Raises the errors of `sort_into_cells`.
    """
    open_vectors(source)
    made_of = {"source": StoredFile.of(source).sha256, "partition": asdict(partition)}
    keep_only(folder, made_of, ("cells",))
    if not (folder / "cells").is_dir():
        sort_into_cells(source, folder / "cells", partition)
    return open_cells(folder / "cells")


def sort_into_cells(source: Path, folder: Path, partition: Partition, search: Nearest = nearest) -> None:
    """Make the folder, all or nothing.

    Raises the errors of `open_vectors`; InputError for a source without vectors or with one that is not of length 1;
    OutputError for a folder that cannot be written.
    """
    vectors = open_vectors(source)
    if not len(vectors):
        raise InputError(f"{source} holds no vectors: there is nothing to compare")
    with atomic.folder(folder) as temporary:
        count = -(-len(vectors) // partition.vectors_a_cell)
        drawn = sample(len(vectors), count, partition.seed)
        seen = in_fp32(vectors[drawn])
        check_lengths(seen, str(source), drawn)  # k-means fails at what is no number
        centroids, groups = _in_groups(spherical_k_means(seen, count, partition.seed), partition)
        shape = (len(vectors), min(partition.probes, count))
        probes = create_array(temporary / "source_probes.npy", np.int32, shape)

        def assign(rows: slice) -> None:
            probes[rows] = search(read_block(vectors, rows, str(source)), centroids, probes.shape[1])[1]

        in_threads(assign, row_blocks(len(vectors)))
        members = np.argsort(probes[:, 0], kind="stable")
        starts = np.searchsorted(probes[:, 0], np.arange(count + 1), sorter=members)
        for name, array in {"centroids": centroids, "groups": groups, "starts": starts, "members": members}.items():
            np.save(temporary / f"{name}.npy", array)
        for name, array in {"vectors": vectors, "probes": probes}.items():
            _reorder(array, members, temporary / f"{name}.npy")
        (temporary / "source_probes.npy").unlink()


def _in_groups(
    centroids: Float32[ndarray, "c d"], partition: Partition
) -> tuple[Float32[ndarray, "c d"], Int64[ndarray, "g+1"]]:
    """The centroids, those that are near to one another in one group, and where each group begins.

    Searches within the cells of a group mostly end among themselves.
    """
    count = -(-len(centroids) // partition.cells_a_group)
    group = nearest(centroids, spherical_k_means(centroids, count, partition.seed), 1)[1][:, 0]
    order = np.argsort(group, kind="stable")
    return centroids[order], np.searchsorted(group[order], np.arange(count + 1))


def _reorder(source: ndarray, members: Int64[ndarray, "n"], path: Path) -> None:
    """Write the rows of an array in the order of `members`; the source is read from end to end."""
    places = np.empty_like(members)
    places[members] = np.arange(len(members))
    sink = create_array(path, source.dtype, source.shape)

    def move(rows: slice) -> None:
        sink[places[rows]] = source[rows]

    in_threads(move, row_blocks(len(source)))
    sink.flush()
