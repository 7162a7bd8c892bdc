"""The nearest neighbours of all vectors beside faiss' inverted file, at equal recall and in one run; then communities.

    python -m benchmarks.vectors [--write docs/vectors.md] [--scale 0.1]

Four parts, each in a process of its own, some minutes on two cores: 200,000 vectors in clusters and 50,000 near a
manifold of 16 dimensions without gaps, of 512 numbers, k 16, ours and faiss; from a million embeddings of 256 numbers
to communities, with its peak of memory; the same at a tenth, for the exponent of growth.

Both are measured from the file on disk to the neighbours. Of faiss the fastest of cells of three sizes counts, with the
fewest probes that find as many true neighbours as ours. Recall is against exact search for a sample of the vectors.
Disks and clocks are shared with nothing else in this process.
"""

import argparse
import math
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import faiss
import numpy as np
from benchmarks.pages import write_section
from benchmarks.timing import machine
from jaxtyping import Float, Int64
from numpy import ndarray

from mezzotint.curation.vectors.cells import Partition
from mezzotint.curation.vectors.communities import Grouping, find_communities
from mezzotint.curation.vectors.nearest import sample
from mezzotint.curation.vectors.neighbours import Neighbours, all_neighbours
from mezzotint.curation.vectors.vector_file import ROWS_AT_ONCE, open_vectors, write_vectors

SPREAD = 0.7  # of a cluster, in lengths of its centre
CLUSTER = 50  # vectors
DIMENSIONS = 16  # of the manifold
ASKED = 1000  # vectors whose true neighbours are known
K = 16
FAISS_CELLS = (256, 128, 512)  # vectors
FAISS_PROBES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
T = TypeVar("T")
TITLE = "Neighbours and communities"


@dataclass(frozen=True, kw_only=True)
class Result:
    """Seconds from the file to the neighbours, and recall."""

    partition: Partition
    seconds: float
    recall: float


@dataclass(frozen=True, kw_only=True)
class Duel:
    data: str
    vectors: int
    ours: Result
    faiss: Result


@dataclass(frozen=True, kw_only=True)
class Grouped:
    """From the file of embeddings to communities. `gibibytes` is the peak of memory that is no mapped file."""

    vectors: int
    searching: float
    grouping: float
    recall: float
    communities: int
    gibibytes: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--scale", type=float, default=1.0, help="of all numbers of vectors, for a try")
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    few, many = round(200_000 * args.scale), round(1_000_000 * args.scale)
    duels = [
        alone(duel, "clusters", few, Partition(probes=2)),
        alone(duel, "manifold", few // 4, Partition(vectors_a_cell=512, probes=16)),
    ]
    groups = [alone(group, count, Partition(probes=4)) for count in (many // 10, many)]
    lines = [f"{machine()}; faiss {faiss.__version__} on {faiss.omp_get_max_threads()} threads.", ""]
    lines += [*duel_lines(duels), "", *group_lines(groups), "", *estimate_lines()]
    print("\n".join(lines))
    if args.write is not None:
        write_section(args.write, TITLE, lines)


def alone(function: Callable[..., T], *arguments: object) -> T:
    """In a process of its own, so that no part inherits another's memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


# The parts ----------------------------------------------------------------------------------------


def duel(data: str, count: int, partition: Partition) -> Duel:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "vectors.npy"
        write(path, DATA[data](512, count), count, 512)
        seconds, found = ours(path, Path(scratch) / "found", partition)
        asked, true = truth(path)
        mine = Result(partition=partition, seconds=seconds, recall=recall(found.indices[asked], true))
        theirs = min(inverted_files(path, asked, true, mine.recall - 1e-3), key=lambda result: result.seconds)
    return Duel(data=data, vectors=count, ours=mine, faiss=theirs)


def group(count: int, partition: Partition) -> Grouped:
    with tempfile.TemporaryDirectory() as scratch, watched() as peak:
        path = Path(scratch) / "vectors.npy"
        write(path, clusters(256, count), count, 256)
        peak.clear()
        searching, found = ours(path, Path(scratch) / "found", partition)
        start = time.perf_counter()
        communities = find_communities(found, Grouping(cosine=0.5))
        grouping = time.perf_counter() - start
        asked, true = truth(path)
        return Grouped(
            vectors=count,
            searching=searching,
            grouping=grouping,
            recall=recall(found.indices[asked], true),
            communities=np.unique(communities).size,
            gibibytes=max(peak),
        )


def ours(path: Path, folder: Path, partition: Partition) -> tuple[float, Neighbours]:
    start = time.perf_counter()
    found = all_neighbours(path, folder, k=K, partition=partition)
    return time.perf_counter() - start, found


def inverted_files(
    path: Path, asked: Int64[ndarray, "a"], true: Int64[ndarray, "a k"], wanted: float
) -> Iterator[Result]:
    """faiss' index and search together, by cells of each size, with as few probes as reach the wanted recall."""
    for each in FAISS_CELLS:
        start = time.perf_counter()
        vectors = open_vectors(path).astype(np.float32)
        cells, width = -(-len(vectors) // each), vectors.shape[1]
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.min_points_per_centroid = 10, 1
        index.train(vectors[sample(len(vectors), cells, seed=0)])
        index.add(vectors)
        built = time.perf_counter() - start
        for index.nprobe in FAISS_PROBES:
            reached = recall(others(index, vectors[asked], asked), true)
            if reached >= wanted:
                start = time.perf_counter()
                index.search(vectors, K + 1)
                seconds = built + time.perf_counter() - start
                yield Result(
                    partition=Partition(vectors_a_cell=each, probes=index.nprobe), seconds=seconds, recall=reached
                )
                break


def others(index: faiss.Index, vectors: Float[ndarray, "a d"], positions: Int64[ndarray, "a"]) -> Int64[ndarray, "a k"]:
    """The nearest of each that are not itself."""
    indices = index.search(vectors, K + 1)[1]
    itself = np.argsort(indices == positions[:, None], axis=1, kind="stable")[:, :-1]
    return np.take_along_axis(indices, itself, axis=1)


# Vectors ------------------------------------------------------------------------------------------

Block = Callable[[np.random.Generator, int], Float[ndarray, "rows width"]]


def clusters(width: int, count: int) -> Block:
    """Around centres, each vector's drawn anew."""
    centres = np.random.default_rng(0).standard_normal((max(1, count // CLUSTER), width), np.float32)

    def block(rng: np.random.Generator, rows: int) -> Float[ndarray, "rows width"]:
        near = centres[rng.integers(0, len(centres), rows)]
        return near + SPREAD * rng.standard_normal((rows, width), np.float32)

    return block


def manifold(width: int, count: int) -> Block:
    """Normal in a few dimensions, with as much noise in all others together as in three of these."""
    axes = np.random.default_rng(0).standard_normal((DIMENSIONS, width), np.float32)

    def block(rng: np.random.Generator, rows: int) -> Float[ndarray, "rows width"]:
        return rng.standard_normal((rows, DIMENSIONS), np.float32) @ axes + 1.7 * rng.standard_normal(
            (rows, width), np.float32
        )

    return block


DATA: dict[str, Callable[[int, int], Block]] = {"clusters": clusters, "manifold": manifold}


def write(path: Path, block: Block, count: int, width: int) -> None:
    rng = np.random.default_rng(1)
    sizes = (min(ROWS_AT_ONCE, count - start) for start in range(0, count, ROWS_AT_ONCE))
    blocks = (block(rng, rows) for rows in sizes)
    units = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in blocks)
    write_vectors(path, units, rows=count, width=width)


def truth(path: Path) -> tuple[Int64[ndarray, "a"], Int64[ndarray, "a k"]]:
    """Some vectors, by position, and their true neighbours."""
    vectors = open_vectors(path)
    asked = np.sort(np.random.default_rng(1).choice(len(vectors), min(ASKED, len(vectors)), replace=False))
    exact = faiss.IndexFlatIP(vectors.shape[1])
    exact.add(vectors.astype(np.float32))
    return asked, others(exact, vectors[asked].astype(np.float32), asked)


def recall(found: Int64[ndarray, "a k"], true: Int64[ndarray, "a k"]) -> float:
    """The share of the true neighbours that was found."""
    return float((np.asarray(found)[:, :, None] == true[:, None]).any(1).mean())


@contextmanager
def watched() -> Iterator[list[float]]:
    """This process' memory that is no mapped file, in GiB, every 50 ms."""
    seen, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            lines = Path("/proc/self/status").read_text().splitlines()
            seen.append(next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 2**20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


# The page -----------------------------------------------------------------------------------------


def duel_lines(duels: list[Duel]) -> Iterator[str]:
    yield f"All neighbours of vectors of 512 numbers, k {K}, from the file on disk."
    yield ""
    yield "| data | vectors | cells of, probes | vectors/s | recall | faiss IVF | vectors/s | recall | ratio |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for one in duels:
        cells = [
            f"{result.partition.vectors_a_cell}, {result.partition.probes} | {one.vectors / result.seconds:,.0f} | "
            f"{result.recall:.3f}"
            for result in (one.ours, one.faiss)
        ]
        ratio = one.faiss.seconds / one.ours.seconds
        yield f"| {one.data} | {one.vectors:,} | {cells[0]} | {cells[1]} | {ratio:.2f}× |"


def group_lines(groups: list[Grouped]) -> Iterator[str]:
    small, large = groups
    grown = math.log(large.vectors / small.vectors)
    exponents = [
        math.log(after / before) / grown
        for before, after in ((small.searching, large.searching), (small.grouping, large.grouping))
    ]
    yield f"From embeddings of 256 numbers to communities, k {K}, in clusters of about {CLUSTER}."
    yield ""
    yield "| vectors | neighbours, s | communities, s | together, s | recall | communities | peak, GiB |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for one in groups:
        yield (
            f"| {one.vectors:,} | {one.searching:.1f} | {one.grouping:.1f} | {one.searching + one.grouping:.1f} | "
            f"{one.recall:.3f} | {one.communities:,} | {one.gibibytes:.2f} |"
        )
    yield ""
    yield (
        f"Time grows with the number of vectors to the power of {exponents[0]:.2f} for neighbours (with cells of one "
        f"size there are ever more centroids to compare with) and {exponents[1]:.2f} for communities."
    )


def estimate_lines() -> Iterator[str]:
    """A billion embeddings on 8 GPUs; nothing of it was measured here."""
    items, width, cell, probes, gpus = 1e9, 256, 4096, 8, 8
    product, selected, read = 30e12, 5e9, 1e9  # FLOP/s in fp32, numbers/s through top-k, bytes/s from disk, of one GPU
    cells = items / cell
    steps = {
        "k-means, 2 iterations on 64 vectors a cell": 2 * 64 * cells * cells * 2 * width / product,
        "assignment to cells": items * cells * 2 * width / product,
        "products within cells": items * probes * cell * 2 * width / product,
        "top-k of the candidates": items * (probes * cell + cells) / selected,
        "reading: the source twice, each cell once a probe": items * width * 2 * (2 + probes) / read,
    }
    hours = sum(steps.values()) / gpus / 3600
    yield (
        f"**A billion on {gpus} GPUs: an estimate of {hours:.1f} h**, beside 8 h published for a billion on 8 H800 "
        "(Z-Image report, index and 100 neighbours; hardware, k and recall differ). Not measured. Assumed are "
        f"{width} numbers, cells of {cell:,}, {probes} probes, and of one GPU {product / 1e12:.0f} TFLOP/s in fp32, "
        f"{selected / 1e9:.0f} billion numbers a second through top-k and {read / 1e9:.0f} GB/s from disk; tasks are "
        "independent, so eight are taken for eight times as fast. In GPU-hours: "
        + ", ".join(f"{name} {seconds / 3600:.1f}" for name, seconds in steps.items())
        + ". Communities are not in it: their graph of 16 edges a vector has to be held by one machine."
    )


if __name__ == "__main__":
    main()
