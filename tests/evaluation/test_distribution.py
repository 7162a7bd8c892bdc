from collections.abc import Callable

import numpy as np
import pytest

from mezzotint.evaluation import distribution
from mezzotint.evaluation.answers import ask
from mezzotint.evaluation.concept_list import Concept
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.frechet import frechet_distance


def test_the_rows(few_concepts: tuple[Concept, ...], examine: Callable[[], Examination]):
    distances, diversity = distribution.tables(examine())
    assert [row.name for row in distances.rows] == ["generated", "real, other pictures", "noise"]
    assert distances.columns == ["FED-Lite0", "precision", "recall"]
    assert [row.name for row in diversity.rows] == ["seeds of one prompt", "real, styles of one concept"]
    assert diversity.rows[0].figures["distance"].count == 5


def test_what_the_suite_concepts_painted_is_used_again(
    few_concepts: tuple[Concept, ...], examine: Callable[[], Examination]
):
    examination = examine()
    for language in ("en", "zh"):
        ask(examination, few_concepts, [language] * len(few_concepts))
    known = set(examination.painter._painted)
    assert set(distribution.tasks_of(few_concepts, examination.seed)) == known


def test_the_distances_interval_stands_around_its_value():
    rng = np.random.default_rng(0)
    found, real = rng.normal(size=(40, 8)), rng.normal(size=(60, 8))
    figure = distribution._fed(found, real)
    assert figure.value == pytest.approx(frechet_distance(found, real))
    assert figure.interval.low < figure.value < figure.interval.high


def test_diversity_is_the_mean_distance_within_a_prompt():
    same = np.ones((3, 4))
    right_angles = np.eye(4)[:2]
    assert distribution._spread_of([same, right_angles]).value == pytest.approx(0.5)
