"""The nearest neighbours of all vectors beside faiss' inverted file, at equal recall and in one run; then communities.

    python -m benchmarks.vectors [--count 200000] [--width 512] [--k 16] [--communities]

Both divide the vectors into as many cells by the same k-means, and both are measured from the file on disk to the
neighbours. faiss probes more and more cells until it finds as many true neighbours as ours. Recall is against exact
search for a sample of the vectors.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
from benchmarks.timing import machine
from jaxtyping import Float, Int64
from numpy import ndarray

from mezzotint.curation.vectors.cells import Partition
from mezzotint.curation.vectors.communities import Grouping, find_communities
from mezzotint.curation.vectors.nearest import nearest, sample
from mezzotint.curation.vectors.neighbours import Neighbours, all_neighbours
from mezzotint.curation.vectors.vector_file import ROWS_AT_ONCE, open_vectors, write_vectors

SPREAD = 0.7  # of a cluster, in lengths of its centre
CLUSTER = 50  # vectors
ASKED = 1000  # vectors whose true neighbours are known


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--count", type=int, default=200_000)
    options.add_argument("--width", type=int, default=512)
    options.add_argument("--k", type=int, default=16)
    options.add_argument("--vectors-a-cell", type=int, default=Partition.vectors_a_cell)
    options.add_argument("--probes", type=int, default=Partition.probes)
    options.add_argument("--communities", action="store_true", help="go on to communities, and leave faiss out")
    args = options.parse_args()
    partition = Partition(vectors_a_cell=args.vectors_a_cell, probes=args.probes)
    print(f"{machine()}; faiss {faiss.__version__} on {faiss.omp_get_max_threads()} threads")
    print(f"{args.count} vectors of {args.width} numbers in clusters of about {CLUSTER}, k {args.k}, {partition}")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "vectors.npy"
        write_clusters(path, args.count, args.width)
        seconds, found = ours(path, Path(scratch) / "found", args.k, partition)
        asked, true = truth(path, args.k)
        reached = recall(found.indices[asked], true)
        print(f"mezzotint: {seconds:.1f} s, {args.count / seconds:.0f} vectors/s, recall {reached:.4f}")
        if args.communities:
            report_communities(found, seconds)
        else:
            report_faiss(path, args.k, -(-args.count // partition.vectors_a_cell), asked, true, reached, seconds)


def write_clusters(path: Path, count: int, width: int) -> None:
    """Unit vectors around centres that are drawn anew for each block, in no order."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((max(1, count // CLUSTER), width), np.float32)

    def block(rows: int) -> Float[ndarray, "rows width"]:
        vectors = centres[rng.integers(0, len(centres), rows)]
        vectors = vectors + SPREAD * rng.standard_normal((rows, width), np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    sizes = [min(ROWS_AT_ONCE, count - start) for start in range(0, count, ROWS_AT_ONCE)]
    write_vectors(path, map(block, sizes), rows=count, width=width)


def ours(path: Path, folder: Path, k: int, partition: Partition) -> tuple[float, Neighbours]:
    start = time.perf_counter()
    found = all_neighbours(path, folder, k=k, partition=partition)
    return time.perf_counter() - start, found


def inverted_file(path: Path, k: int, cells: int, probes: list[int]) -> tuple[float, dict[int, tuple[float, ndarray]]]:
    """Seconds to build faiss' index, then of each number of probes those of the search, and what it found."""
    start = time.perf_counter()
    vectors = open_vectors(path).astype(np.float32)
    width = vectors.shape[1]
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.min_points_per_centroid = 10, 1
    index.train(vectors[sample(len(vectors), cells, seed=0)])
    index.add(vectors)
    built = time.perf_counter() - start
    found = {}
    for index.nprobe in probes:
        start = time.perf_counter()
        indices = index.search(vectors, k + 1)[1]
        itself = np.argsort(indices == np.arange(len(vectors))[:, None], axis=1, kind="stable")[:, :-1]
        found[index.nprobe] = (time.perf_counter() - start, np.take_along_axis(indices, itself, axis=1))
    return built, found


def report_faiss(
    path: Path, k: int, cells: int, asked: Int64[ndarray, "a"], true: Int64[ndarray, "a k"], reached: float, took: float
) -> None:
    """faiss with ever more probes, up to the recall that was reached."""
    for probes in (1 << power for power in range(cells.bit_length())):
        built, found = inverted_file(path, k, cells, [probes])
        seconds, indices = found[probes]
        its = recall(indices[asked], true)
        total = built + seconds
        print(
            f"faiss IVF{cells}, {probes} probes: {total:.1f} s ({seconds:.1f} s of it search), recall {its:.4f}, "
            f"{total / took:.2f} times ours",
            flush=True,
        )
        if its >= reached:
            return


def report_communities(found: Neighbours, seconds: float) -> None:
    start = time.perf_counter()
    communities = find_communities(found, Grouping(cosine=0.5))
    grouping = time.perf_counter() - start
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{np.unique(communities).size} communities in {grouping:.1f} s; {seconds + grouping:.1f} s in all")
    print(f"{gigabytes:.1f} GiB at most, pages of mapped files included")


def truth(path: Path, k: int) -> tuple[Int64[ndarray, "a"], Int64[ndarray, "a k"]]:
    """Some vectors, by position, and their true neighbours."""
    vectors = open_vectors(path)
    asked = np.sort(np.random.default_rng(1).choice(len(vectors), min(ASKED, len(vectors)), replace=False))
    indices = nearest(vectors[asked].astype(np.float32), vectors.astype(np.float32), k + 1)[1]
    order = np.argsort(indices == asked[:, None], axis=1, kind="stable")[:, :-1]
    return asked, np.take_along_axis(indices, order, axis=1)


def recall(found: Int64[ndarray, "a k"], true: Int64[ndarray, "a k"]) -> float:
    """The share of the true neighbours that was found."""
    return float((np.asarray(found)[:, :, None] == true[:, None]).any(1).mean())


if __name__ == "__main__":
    main()
