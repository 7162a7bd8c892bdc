from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from mezzotint.evaluation import reconstruction
from mezzotint.evaluation.concept_list import Concept
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.suites import SUITES, report
from mezzotint.perception.perceptual import PerceptualDistance

TINY_STAGES = ((3, 4), (4, 4), (4, 4))  # channels


@pytest.fixture
def random_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The perceptual distance with random weights, always the same, in place of those that a package brings."""

    def load(stages: int) -> PerceptualDistance:
        torch.manual_seed(0)
        return PerceptualDistance(TINY_STAGES[:stages])

    monkeypatch.setattr(reconstruction, "load_perceptual", load)


@pytest.mark.parametrize("name", SUITES)
def test_two_models_are_compared_item_by_item(
    name: str, few_concepts: tuple[Concept, ...], examine: Callable[[], Examination], random_distance: None
):
    """A model and itself differ by nothing, surely; every row of the model's own is there."""
    examinations = [replace(examine(), limit=4) for _ in range(2)]
    found = report([name], examinations, {"seed": 3})
    assert list(found.tables) == ["tiny (1)", "tiny (2)", "tiny (1) − tiny (2)"]
    for one, differences in zip(found.tables["tiny (1)"], found.tables["tiny (1) − tiny (2)"], strict=True):
        assert [row.name for row in differences.rows] == [row.name for row in one.rows if not row.reference]
        for row in differences.rows:
            for figure in row.figures.values():
                assert (figure.value, *figure.interval) == (0.0, 0.0, 0.0)
    models = found.conditions["models"]
    assert models["tiny (1)"]["digest"] == models["tiny (2)"]["digest"]
    assert set(models["tiny (1)"]["seconds"]) == {name}


def test_the_suites_names():
    assert list(SUITES) == ["concepts", "styles", "sizes", "scenes", "reconstruction", "distribution"]
