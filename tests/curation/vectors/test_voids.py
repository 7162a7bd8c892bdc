import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.curation.vectors.planted import uniform, unit

from mezzotint.curation.vectors.voids import count_near, find_voids, sampling_plan
from mezzotint.errors import InputError


def test_a_vector_belongs_to_the_concept_of_its_nearest_reference() -> None:
    references = np.eye(4, dtype=np.float32)[:3]
    vectors = unit(np.array([[3, 1, 0, 0], [1, 3, 0, 0], [0, 1, 3, 0], [0, 0, 1, 9], [0, 0, 0, 1]], np.float32))
    concepts = np.array([0, 1, 1])
    np.testing.assert_array_equal(count_near(vectors, references, concepts, least_cosine=0.5), [1, 2])
    np.testing.assert_array_equal(count_near(vectors, references, concepts, least_cosine=0.1), [1, 3])


def test_voids_are_named_emptiest_first() -> None:
    counts = np.array([50, 0, 8, 40, 2])
    np.testing.assert_array_equal(find_voids(counts, [1] * 5, 0.5), [1, 4, 2])
    np.testing.assert_array_equal(find_voids(counts, [1] * 5, 0.1), [1])
    np.testing.assert_array_equal(find_voids(counts, [9, 1, 1, 9, 20], 0.5), [1, 4])  # 20 of 40 are asked for
    np.testing.assert_array_equal(find_voids(np.zeros(3, int), [1, 1, 1], 0.5), [0, 1, 2])


def test_a_weight_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="weight 0"):
        find_voids(np.array([1, 2]), [1, 0], 0.5)


@pytest.mark.parametrize(
    ("budget", "plan"), [(0, [0, 0, 0]), (3, [3, 0, 0]), (4, [4, 0, 0]), (10, [7, 3, 0]), (26, [13, 9, 4])]
)
def test_a_plan_fills_the_emptiest_first(budget: int, plan: list[int]) -> None:
    np.testing.assert_array_equal(sampling_plan(np.array([0, 4, 9]), [1, 1, 1], budget), plan)


def test_a_plan_goes_by_weight() -> None:
    np.testing.assert_array_equal(sampling_plan(np.array([0, 0]), [3, 1], 40), [30, 10])


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0.1, 10)), min_size=1, max_size=12),
    st.integers(0, 200),
)
def test_a_plan_spends_all_and_leaves_nobody_below_those_that_it_fills(
    concepts: list[tuple[int, float]], budget: int
) -> None:
    counts, weights = np.array([count for count, _ in concepts]), np.array([weight for _, weight in concepts])
    plan = sampling_plan(counts, weights, budget)
    assert plan.sum() == budget
    assert (plan >= 0).all()
    for filled in np.flatnonzero(plan):
        assert ((counts + plan + 1) / weights >= (counts + plan - 1)[filled] / weights[filled] - 1e-6).all()


def test_concepts_that_were_left_out_are_found_from_vectors_alone() -> None:
    """50 concepts, 12 of them missing; references are other pictures of each."""
    rng = np.random.default_rng(0)
    centres = uniform(50, 24)
    missing = np.sort(rng.choice(50, 12, replace=False))
    shown = np.repeat(np.setdiff1d(np.arange(50), missing), 20)
    concepts = np.repeat(np.arange(50), 3)
    corpus, references = (
        unit(centres[which] + 0.7 / 24**0.5 * rng.standard_normal((len(which), 24))) for which in (shown, concepts)
    )
    counts = count_near(corpus, references, concepts, least_cosine=0.3)
    found = find_voids(counts, [1.0] * 50, least_share=0.25)
    right = np.intersect1d(found, missing).size
    assert right / missing.size >= 0.9
    assert right / found.size >= 0.8
    assert sampling_plan(counts, [1.0] * 50, 240)[missing].min() >= 15
