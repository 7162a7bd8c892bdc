from collections.abc import Iterator

import faiss
import numpy as np
import pytest
from tests.curation.vectors.planted import clustered, uniform

from mezzotint.curation.vectors.nearest import LEAST, NONE, in_threads, merge, nearest, sample, spherical_k_means
from mezzotint.errors import InputError


def test_the_nearest_are_those_of_the_whole_product() -> None:
    queries, vectors = uniform(7, 5), uniform(40, 5, seed=1)
    cosines, indices = nearest(queries, vectors, 3)
    product = queries @ vectors.T
    np.testing.assert_array_equal(indices, np.argsort(-product, axis=1)[:, :3])
    np.testing.assert_allclose(cosines, -np.sort(-product, axis=1)[:, :3], atol=1e-6)


def test_what_is_missing_has_index_minus_one() -> None:
    cosines, indices = nearest(uniform(2, 5), uniform(1, 5), 3)
    np.testing.assert_array_equal(indices, [[0, NONE, NONE]] * 2)
    assert (cosines[:, 1:] == LEAST).all()


def test_lists_are_merged_and_what_is_missing_comes_last() -> None:
    cosines = np.array([[[0.9, 0.5, LEAST]], [[0.8, LEAST, LEAST]]], np.float32)
    merged = merge(cosines, np.array([[[1, 2, NONE]], [[4, NONE, NONE]]]))
    np.testing.assert_array_equal(merged[1], [[1, 4, 2]])
    np.testing.assert_allclose(merged[0], [[0.9, 0.8, 0.5]])
    only_one = merge(cosines[1:], np.array([[[4, NONE, NONE]]]))
    np.testing.assert_array_equal(only_one[1], [[4, NONE, NONE]])


def test_k_means_finds_planted_centres_and_repeats_itself() -> None:
    vectors = clustered(8, 40, 16, spread=0.2)
    centroids = spherical_k_means(vectors, 8, seed=3)
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(spherical_k_means(vectors, 8, seed=3), centroids)
    assert not np.array_equal(spherical_k_means(vectors, 8, seed=4), centroids)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    yield
    faiss.omp_set_num_threads(before)


def test_k_means_of_many_clusters_is_as_tight_by_any_number_of_threads(two_threads: None) -> None:
    vectors = clustered(200, 40, 32, spread=0.3)
    centroids = spherical_k_means(vectors, 200, seed=0)
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-5)
    own = vectors.reshape(200, 40, 32).mean(axis=1, keepdims=True)
    assert (vectors @ centroids.T).max(axis=1).mean() >= 0.97 * (vectors.reshape(200, 40, 32) * own).sum(-1).mean()
    faiss.omp_set_num_threads(1)
    np.testing.assert_array_equal(spherical_k_means(vectors, 200, seed=0), centroids)


def test_threads_do_every_item_and_pass_on_what_is_raised(two_threads: None) -> None:
    done = np.zeros(50, bool)

    def do(item: int) -> None:
        if item == 50:
            raise InputError("no such item")
        done[item] = True

    in_threads(do, range(50))
    assert done.all()
    with pytest.raises(InputError, match="no such item"):
        in_threads(do, [50])


def test_a_sample_is_sorted_distinct_and_seeded() -> None:
    drawn = sample(1000, 2, seed=0)
    assert len(drawn) == 128
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(sample(1000, 2, seed=0), drawn)
    np.testing.assert_array_equal(sample(5, 2, seed=0), np.arange(5))


def test_more_clusters_than_vectors_are_refused() -> None:
    with pytest.raises(InputError, match="3 clusters of 2 vectors"):
        spherical_k_means(uniform(2, 4), 3, seed=0)
