"""Vectors whose truth is known."""

from pathlib import Path

import numpy as np
from numpy import ndarray

from mezzotint.curation.vectors.vector_file import write_vectors


def unit(x: ndarray) -> ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def uniform(n: int, d: int, seed: int = 0) -> ndarray:
    return unit(np.random.default_rng(seed).standard_normal((n, d)))


def clustered(clusters: int, each: int, d: int, spread: float, seed: int = 0) -> ndarray:
    """Vectors around `clusters` centres, those of one cluster after one another; `spread` 1 is as far as the centre."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.standard_normal((clusters, d)))
    return unit(np.repeat(centres, each, axis=0) + spread / d**0.5 * rng.standard_normal((clusters * each, d)))


def stored(vectors: ndarray, path: Path) -> Path:
    write_vectors(path, [vectors], rows=vectors.shape[0], width=vectors.shape[1])
    return path
