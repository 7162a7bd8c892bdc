"""What faiss does here: exact search among some vectors, spherical k-means, the merging of sorted lists."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Float32, Int64
from numpy import ndarray

from mezzotint.errors import InputError, MissingDependencyError

try:
    import faiss
except ImportError as cause:
    raise MissingDependencyError("neighbours are found with faiss: pip install -e '.[curation]'") from cause

NONE = -1  # the index that stands where fewer than k were found
LEAST = np.finfo(np.float32).min  # and its cosine
# `nearest`, or `accelerated.DeviceNearest`: queries, vectors and k to cosines and indices.
Nearest = Callable[[ndarray, ndarray, int], tuple[Any, Any]]
_ITERATIONS = 10
_AFTER_PARTS = 2
_SAMPLE = 64  # vectors a centroid that k-means looks at
_CLUSTERS_A_PART = 128
T = TypeVar("T")


def in_threads(function: Callable[[T], object], items: Iterable[T]) -> None:
    """Call the function for every item, by as many threads as faiss has, each of which computes alone.

    Threads that share one small product mostly wait for each other, all the more where a processor is busy elsewhere.
    """
    threads = faiss.omp_get_max_threads()
    with ThreadPoolExecutor(threads, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
        for _ in pool.map(function, items):
            pass


def nearest(
    queries: Float[ndarray, "q d"], vectors: Float[ndarray, "n d"], k: int
) -> tuple[Float32[ndarray, "q k"], Int64[ndarray, "q k"]]:
    """The largest inner products of each query, falling, and the vectors that they are with."""
    return faiss.knn(queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)


def merge(
    cosines: Float32[ndarray, "lists q k"], indices: Int64[ndarray, "lists q k"]
) -> tuple[Float32[ndarray, "q k"], Int64[ndarray, "q k"]]:
    """The best k of several lists as `nearest` gives them; what stands in two of them stands there twice."""
    return faiss.merge_knn_results(cosines, indices, keep_max=True)


def spherical_k_means(vectors: Float[ndarray, "n d"], count: int, seed: int) -> Float32[ndarray, "count d"]:
    """Unit vectors in the middle of `count` clusters of unit vectors (Dhillon & Modha 2001).

    Many clusters are found in parts of the vectors, and then together in few iterations, each of which takes the time
    of `count` products a vector. Raises InputError for fewer vectors than clusters.
    """
    if len(vectors) < count:
        raise InputError(f"{count} clusters of {len(vectors)} vectors: there are at most as many as vectors")
    if count <= _CLUSTERS_A_PART or len(vectors) < count * _SAMPLE // 2:
        return _k_means(vectors, count, seed, iterations=_ITERATIONS)
    middles = _k_means(vectors, -(-count // _CLUSTERS_A_PART), seed, iterations=_ITERATIONS)
    part = nearest(vectors, middles, 1)[1][:, 0]
    sizes = np.bincount(part, minlength=len(middles))
    bounds = np.rint(np.cumsum([0, *sizes]) * count / len(vectors)).astype(int)
    start = np.empty((count, vectors.shape[1]), np.float32)

    def divide(one: int) -> None:
        own = slice(bounds[one], bounds[one + 1])
        start[own] = _k_means(vectors[part == one], int(own.stop - own.start), seed, iterations=_ITERATIONS)

    in_threads(divide, np.flatnonzero(np.diff(bounds)).tolist())
    return _k_means(vectors, count, seed, iterations=_AFTER_PARTS, start=start)


def _k_means(
    vectors: Float[ndarray, "n d"],
    count: int,
    seed: int,
    *,
    iterations: int,
    start: Float32[ndarray, "count d"] | None = None,
) -> Float32[ndarray, "count d"]:
    k_means = faiss.Kmeans(
        vectors.shape[1],
        count,
        spherical=True,
        niter=iterations,
        seed=seed,
        min_points_per_centroid=1,  # fewer are no reason to warn
        max_points_per_centroid=_SAMPLE,
    )
    k_means.train(vectors, init_centroids=start)
    return np.asarray(k_means.centroids)


def sample(count: int, centroids: int, seed: int) -> Int64[ndarray, "m"]:
    """Which of `count` vectors k-means is to look at, rising."""
    wanted = min(count, centroids * _SAMPLE)
    return np.sort(np.random.default_rng(seed).choice(count, wanted, replace=False, shuffle=False))
