"""What faiss does here: exact search among some vectors, spherical k-means, the merging of sorted lists."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64
from numpy import ndarray

from mezzotint.errors import InputError, MissingDependencyError

try:
    import faiss
except ImportError as cause:
    raise MissingDependencyError("neighbours are found with faiss: pip install 'mezzotint[curation]'") from cause

NONE = -1  # the index that stands where fewer than k were found
LEAST = np.finfo(np.float32).min  # and its cosine
# `nearest`, or `accelerated.DeviceNearest`: queries, vectors and k to cosines and indices.
Nearest = Callable[[ndarray, ndarray, int], tuple[Any, Any]]
_ITERATIONS = 10
_SAMPLE = 64  # vectors a centroid that k-means looks at


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

    Raises InputError for fewer vectors than clusters.
    """
    if len(vectors) < count:
        raise InputError(f"{count} clusters of {len(vectors)} vectors: there are at most as many as vectors")
    k_means = faiss.Kmeans(
        vectors.shape[1],
        count,
        spherical=True,
        niter=_ITERATIONS,
        seed=seed,
        min_points_per_centroid=1,  # fewer are no reason to warn
        max_points_per_centroid=_SAMPLE,
    )
    k_means.train(vectors)
    return np.asarray(k_means.centroids)


def sample(count: int, centroids: int, seed: int) -> Int64[ndarray, "m"]:
    """Which of `count` vectors k-means is to look at, rising."""
    wanted = min(count, centroids * _SAMPLE)
    return np.sort(np.random.default_rng(seed).choice(count, wanted, replace=False, shuffle=False))
