"""Distances between two sets of feature vectors: Fréchet distance, improved precision and recall."""

import numpy as np
from jaxtyping import Bool, Float

NEIGHBOURS = 3  # k of the improved precision and recall, as in the paper


def frechet_distance(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """‖μ_a − μ_b‖² + Tr(Σ_a + Σ_b − 2(Σ_a Σ_b)^½), of the Gaussians with the sets' means and covariances.

    (Dowson & Landau 1982; Heusel et al. 2017.) With Σ = XᵀX of centred rows over √(n − 1), the last trace is the sum of
    the singular values of the n × m matrix X_a X_bᵀ, here by its Gram matrix: for some hundred vectors cheaper and
    steadier than the root of a d × d matrix.
    It falls with the number of vectors: compare only distances over equally many.
    """
    mean_a, mean_b = a.mean(0), b.mean(0)
    x, y = _centred(a, mean_a), _centred(b, mean_b)
    cross = x @ y.T if len(x) <= len(y) else y @ x.T
    root = np.sqrt(np.linalg.eigvalsh(cross @ cross.T).clip(min=0)).sum()
    return float(np.sum((mean_a - mean_b) ** 2) + np.sum(x**2) + np.sum(y**2) - 2 * root)


def _centred(vectors: Float[np.ndarray, "n d"], mean: Float[np.ndarray, "d"]) -> Float[np.ndarray, "n d"]:
    return (vectors.astype(float) - mean) / (len(vectors) - 1) ** 0.5


def is_inside(points: Float[np.ndarray, "n d"], of: Float[np.ndarray, "m d"]) -> Bool[np.ndarray, "n"]:
    """Whether each point lies in the balls around the vectors `of` that reach to each one's third nearest neighbour.

    Kynkäänniemi et al. 2019: the share of generated points inside the real ones is the precision, of real points inside
    the generated ones the recall.
    """
    radius = np.partition(_squared(of, of), NEIGHBOURS, axis=1)[:, NEIGHBOURS]  # each is its own nearest
    return np.any(_squared(points, of) <= radius, axis=1)


def _squared(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
    a, b = a.astype(float), b.astype(float)
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0.0)
