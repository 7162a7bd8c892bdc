import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.evaluation.frechet import frechet_distance, is_inside


def vectors(seed: int, count: int, width: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)) @ rng.normal(size=(width, width)) + rng.normal(size=width)


def by_the_formula(a: np.ndarray, b: np.ndarray) -> float:
    """With the roots of the eigenvalues of the product of the covariances, which scipy's `sqrtm` sums up too."""
    product = np.cov(a.T) @ np.cov(b.T)
    root = np.sqrt(np.linalg.eigvals(product).real.clip(min=0)).sum()
    means = np.sum((a.mean(0) - b.mean(0)) ** 2)
    return float(means + np.trace(np.cov(a.T)) + np.trace(np.cov(b.T)) - 2 * root)


@given(seed=st.integers(0, 1000), n=st.integers(3, 40), m=st.integers(3, 40))
def test_is_the_formula_over_covariances(seed: int, n: int, m: int):
    """Also with fewer vectors than dimensions, where the covariances have no full rank."""
    a, b = vectors(seed, n), vectors(seed + 1, m)
    assert frechet_distance(a, b) == pytest.approx(by_the_formula(a, b), rel=1e-4, abs=1e-3)


def test_one_dimension_is_the_closed_form():
    """(μ − ν)² + (σ − τ)² for two Gaussians on a line."""
    a, b = vectors(0, 30, 1), vectors(1, 50, 1)
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected)


def test_a_shift_counts_its_square():
    a = vectors(0, 200)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-3)
    assert frechet_distance(a, a + 2.0) == pytest.approx(6 * 4.0, abs=1e-3)


def test_inside_are_those_within_the_third_neighbours_distance():
    """On a line at 0, 1, 2, 3, 10: the third neighbours lie 3, 2, 2, 3 and 9 away."""
    real = np.array([[0.0], [1.0], [2.0], [3.0], [10.0]])
    points = np.array([[-3.0], [-3.1], [6.0], [0.9], [18.9], [19.1]])
    assert is_inside(points, real).tolist() == [True, False, True, True, True, False]
