import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from tests.curation.judges.shown import shown
from tests.curation.profiling.pictures import blurred, detailed, noisy

from mezzotint.curation.judges.quality import (
    BY_HAND,
    FILE,
    MADE_WITH,
    SCORES,
    Quality,
    QualityHead,
    by_hand,
    features,
    load_quality_head,
)
from mezzotint.curation.judging import Judge
from mezzotint.curation.profiling.sharpness import clarity
from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.perception.efficientnet import FEATURES

pytestmark = pytest.mark.usefixtures("random_efficientnet")
WIDTH = 2 * FEATURES + len(BY_HAND)


def write(folder: Path, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    tensors = {
        "weights": rng.standard_normal((len(SCORES), WIDTH)).astype(np.float32),
        "biases": rng.standard_normal(len(SCORES)).astype(np.float32),
        "mean": np.full(len(BY_HAND), 2, np.float32),
        "deviation": np.full(len(BY_HAND), 3, np.float32),
    }
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_bytes(save(tensors, MADE_WITH))
    return folder


def test_measures_by_hand_are_those_of_the_profile() -> None:
    picture = shown(detailed((300, 200)))
    (row,) = by_hand([picture])
    assert row[BY_HAND.index("clarity")] == pytest.approx(np.log1p(clarity(picture.luma)), rel=1e-6)
    assert by_hand([]).shape == (0, len(BY_HAND))


def test_the_network_sees_the_whole_and_the_middle_as_it_is_stored() -> None:
    plain = detailed((900, 700), 3)
    edge = plain.copy()
    edge.paste("red", (0, 0, 900, 60))
    found = features([shown(plain), shown(edge), shown(noisy(plain, 20)), shown(detailed((40, 30)))], "cpu")
    assert found.shape == (4, 2 * FEATURES)
    np.testing.assert_allclose(np.linalg.norm(found[:, :FEATURES], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found[0, FEATURES:], found[1, FEATURES:], atol=1e-5)
    assert np.abs(found[0, :FEATURES] - found[1, :FEATURES]).max() > 1e-3
    assert np.abs(found[0, FEATURES:] - found[2, FEATURES:]).max() > 1e-3


def test_scores_are_a_logistic_regression_of_both(tmp_path: Path) -> None:
    judge = Quality(folder=write(tmp_path), device="cpu")
    judge.check()
    assert isinstance(judge, Judge)
    assert pickle.loads(pickle.dumps(judge)) == judge
    pictures = [shown(detailed((300, 200))), shown(blurred(detailed((300, 200)), 3))]
    head = load_quality_head(tmp_path)
    x = np.concatenate([features(pictures, "cpu"), (by_hand(pictures) - 2) / 3], axis=1)
    expected = 1 / (1 + np.exp(-(x @ head.weights.T + head.biases)))
    said = np.array([[row[score] for score in SCORES] for row in judge(pictures, [[], []])])
    np.testing.assert_allclose(said, expected, atol=1e-4)
    assert {limit.measure for limit in judge.limits} == set(SCORES)
    assert all(str(limit) == ".." for limit in judge.limits)


def test_its_version_follows_the_weights_and_broken_heads_are_said(tmp_path: Path) -> None:
    one, other = (Quality(folder=write(tmp_path / name, seed), device=None) for seed, name in enumerate("ab"))
    assert one.version != other.version
    with pytest.raises(MissingFileError, match="train-quality makes one"):
        load_quality_head(tmp_path)
    (tmp_path / "a" / FILE).write_bytes(b"nothing")
    with pytest.raises(FileFormatError, match="train it again"):
        load_quality_head(tmp_path / "a")
    (tmp_path / "a" / FILE).write_bytes(save({"weights": np.zeros(3, np.float32)}))
    with pytest.raises(FileFormatError, match="train it again"):
        load_quality_head(tmp_path / "a")
    head = load_quality_head(write(tmp_path / "c"))
    tensors = {name: getattr(head, name) for name in ("weights", "biases", "mean", "deviation")}
    (tmp_path / "c" / FILE).write_bytes(save(tensors, {"measures": "0"}))
    with pytest.raises(FileFormatError, match="other definitions of the measures"):
        load_quality_head(tmp_path / "c")


def test_a_head_of_zeros_is_undecided() -> None:
    head = QualityHead(
        weights=np.zeros((4, 5), np.float32),
        biases=np.zeros(4, np.float32),
        mean=np.zeros(2, np.float32),
        deviation=np.ones(2, np.float32),
    )
    np.testing.assert_array_equal(head(np.ones((3, 3), np.float32), np.ones((3, 2), np.float32)), np.full((3, 4), 0.5))
