import math
from pathlib import Path

import pytest
import torch

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models import bundle
from mezzotint.perception.scene_judge import (
    Maps,
    SceneJudge,
    SceneJudgeConfig,
    evidence,
    init_weights,
    load_scene_judge,
    sightings,
    written,
)
from mezzotint.recipes.mini import mini_judge
from mezzotint.runtime import atomic

TINY = SceneJudgeConfig(
    picture_size=32,
    widths=(8, 16, 24),
    blocks=(1, 2, 1),
    joined_blocks=1,
    letter_width=12,
    norm_groups=4,
    nouns=("cat", "dog", "owl"),
    colours=("red", "its own"),
    characters="AB",
)


@pytest.fixture
def judge() -> SceneJudge:
    made = SceneJudge(TINY)
    init_weights(made, torch.Generator().manual_seed(0))
    return made


@torch.no_grad()
def test_maps_have_a_cell_for_8_pixels_whatever_the_picture(judge: SceneJudge):
    maps = judge(torch.zeros(2, 3, 48, 20))
    assert TINY.grid == 4
    assert maps.centres.shape == (2, 4, 4)
    assert maps.nouns.shape == (2, 3, 4, 4)
    assert maps.colours.shape == (2, 2, 4, 4)
    assert maps.characters.shape == (2, 3, 4, 8)
    assert (maps.centres.sigmoid() < 0.2).all()  # rare at first


def test_equal_generators_give_equal_weights(judge: SceneJudge):
    other = SceneJudge(TINY)
    init_weights(other, torch.Generator().manual_seed(0))
    for name, weight in judge.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name])


@torch.no_grad()
def test_a_folder_brings_the_judge_back(judge: SceneJudge, tmp_path: Path):
    bundle.write_weights(tmp_path, judge.state_dict())
    atomic.write_json(tmp_path / "config.json", TINY.to_json())
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    loaded = load_scene_judge(tmp_path)
    assert loaded.config == TINY
    for one, other in zip(judge(picture), loaded(picture), strict=True):
        assert torch.equal(one, other)


def test_what_is_missing_is_named(judge: SceneJudge, tmp_path: Path):
    with pytest.raises(MissingFileError, match=r"config\.json is missing"):
        load_scene_judge(tmp_path)
    atomic.write_json(tmp_path / "config.json", {"picture_size": 32})
    with pytest.raises(FileFormatError, match="has no 'widths'"):
        load_scene_judge(tmp_path)


def test_sightings_are_peaks_in_the_order_of_their_certainty():
    centres = torch.full((8, 8), -6.0)
    centres[2, 2], centres[2, 3], centres[6, 5], centres[0, 7] = 1.0, 0.5, 3.0, -2.0
    found = sightings(centres, threshold=0.3)
    assert [(one.row, one.column) for one in found] == [(6, 5), (2, 2)]
    assert (found[0].x, found[0].y) == (5.5 / 8, 6.5 / 8)
    assert [(one.row, one.column) for one in sightings(centres, threshold=0.1)] == [(6, 5), (2, 2), (0, 7)]


def test_evidence_is_the_product_of_two_probabilities():
    maps = Maps(torch.zeros(1, 1), torch.tensor([[[0.0]], [[math.log(3)]]]), torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
    assert evidence(maps.centres, maps.nouns).flatten().tolist() == pytest.approx([0.125, 0.375])


def test_a_string_is_read_from_left_to_right():
    """A in the second column and B in the fourth: "AB" fits; of "BA" and "AA" one character must be guessed."""
    logits = torch.zeros(3, 4, 4)
    logits[1, 2, 1] = logits[2, 1, 3] = 20.0
    guessed = math.log(1 / 3)
    assert written(logits, [1, 2]) == pytest.approx(0.0, abs=1e-6)
    assert written(logits, [2, 1]) == written(logits, [1, 1]) == pytest.approx(guessed / 2, abs=1e-6)
    assert written(logits, [1] * 5) == -math.inf  # more characters than columns


def test_the_minis_size():
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in SceneJudge(mini_judge().judge).parameters())
    assert 2 * parameters < 8_000_000  # bytes, as it is shipped
