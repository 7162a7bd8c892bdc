import math

import pytest
import torch
from tests.fixtures import small_packages

from mezzotint.perception.scene_judge import SceneJudge, init_weights
from mezzotint.recipes.tiny import tiny_judge
from mezzotint.runtime.seeds import Seeds
from mezzotint.synthesis.scenes.truth_maps import IGNORED, SceneBatches
from mezzotint.training.objectives.judge import SceneReadingLoss, classified, focal
from mezzotint.training.optimizers import AdamW
from mezzotint.training.state import TrainState


def test_focal_is_the_papers_sum():
    """A centre that is half believed, a cell near it (target 0.5), and an empty one, both half believed too."""
    target = torch.tensor([[[1.0, 0.5], [0.0, 0.0]]])
    logits = torch.tensor([[[0.0, 0.0], [0.0, -100.0]]])
    half = 0.25 * math.log(0.5)
    assert focal(logits, target).item() == pytest.approx(-(half + 0.5**4 * half + half), rel=1e-5)


def test_focal_of_a_scene_without_objects_is_finite():
    assert focal(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2)).item() == pytest.approx(-math.log(0.5))


def test_ignored_cells_are_not_asked():
    logits = torch.zeros(1, 4, 1, 2)
    logits[0, 2, 0, 0] = 50.0
    assert classified(logits, torch.tensor([[[2, IGNORED]]])).item() == pytest.approx(0.0, abs=1e-6)
    assert classified(logits, torch.tensor([[[2, 1]]])).item() == pytest.approx(math.log(4) / 2)
    assert classified(logits, torch.full((1, 1, 2), IGNORED)).item() == 0.0


def test_overfits_one_batch():
    config = tiny_judge().judge
    batch = SceneBatches(
        small_packages.CORPUS,
        batch_size=4,
        lettered=1,
        size=config.picture_size,
        grid=config.grid,
        seed=0,
        split="train",
        fonts=small_packages.FONTS,
        fetch=small_packages.fetch,
    ).at(0)
    judge = SceneJudge(config)
    init_weights(judge, torch.Generator().manual_seed(0))
    optimizer = AdamW(lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0, rates={})
    state = TrainState(
        judge,
        optimizer=optimizer,
        schedule=lambda step: 1.0,
        clip=1.0,
        average=0.5,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    objective = SceneReadingLoss(empty_weight=0.05)
    first = float(objective.step(state, batch, Seeds(0))["loss"])
    for _ in range(150):
        state.step += 1
        last = float(objective.step(state, batch, Seeds(0))["loss"])
    assert last < 0.05 * first
    found = objective.validate(state, [batch])
    assert found["right_nouns"] > 0.9
    assert found["right_colours"] > 0.9
    assert found["right_characters"] > 0.9
