import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.curation.judges.shown import shown
from tests.curation.profiling.pictures import detailed
from tests.perception.tiny_published import write_classifier

from mezzotint.curation.judges.nsfw import Nsfw
from mezzotint.curation.judging import Judge
from mezzotint.errors import InputError, MissingFileError
from mezzotint.perception.picture_classifier import load_picture_classifier

LABELS = ("drawings", "neutral", "porn", "sexy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("classifier"), LABELS)


def test_it_adds_the_classes_that_are_not_safe(folder: Path) -> None:
    judge = Nsfw(folder=folder, labels=("porn", "sexy"), device="cpu")
    assert isinstance(judge, Judge)
    pictures = [shown(detailed((300, 200), seed)) for seed in range(3)]
    said = [row["nsfw"] for row in judge(pictures, [[]] * 3)]
    network = load_picture_classifier(folder, torch.device("cpu"))
    shares = network.probabilities([Image.fromarray(picture.rgb) for picture in pictures])
    np.testing.assert_allclose(said, shares[:, 2:].sum(axis=1), atol=1e-4)
    assert pickle.loads(pickle.dumps(judge)) == judge


def test_its_version_follows_weights_and_classes(folder: Path, tmp_path: Path) -> None:
    versions = {Nsfw(folder=folder, labels=labels, device=None).version for labels in (("porn",), ("sexy",))}
    other = write_classifier(tmp_path / folder.name, ("a", "porn"))
    assert len(versions | {Nsfw(folder=other, labels=("porn",), device=None).version}) == 3


def test_mistakes_are_said_before_anything_is_loaded(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no class 'nsfw': it has drawings, neutral"):
        Nsfw(folder=folder, labels=("nsfw",), device=None).check()
    with pytest.raises(MissingFileError, match="not a classifier's folder"):
        Nsfw(folder=tmp_path, labels=("nsfw",), device=None).check()
