from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.perception.tiny_published import SIDE, write_classifier
from transformers import ViTForImageClassification

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.perception.picture_classifier import load_picture_classifier, read_labels

CPU = torch.device("cpu")
LABELS = ("drawings", "neutral", "porn")


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)) for _ in range(3)]


@torch.no_grad()
def logits(folder: Path) -> torch.Tensor:
    pixels = torch.stack([torch.from_numpy(np.array(each)).permute(2, 0, 1) / 127.5 - 1 for each in pictures()])
    return ViTForImageClassification.from_pretrained(folder).eval()(pixels).logits


def test_probabilities_are_those_of_the_network_alone(tmp_path: Path) -> None:
    classifier = load_picture_classifier(write_classifier(tmp_path, LABELS), CPU)
    assert classifier.labels == LABELS
    found = classifier.probabilities(pictures())
    np.testing.assert_allclose(found, logits(tmp_path).softmax(-1), atol=1e-5)
    assert found.std(axis=0).min() > 1e-3
    np.testing.assert_allclose(found[:1], classifier.probabilities(pictures()[:1]), atol=1e-6)


def test_classes_that_do_not_exclude_each_other_are_told_apart(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path, LABELS, problem_type="multi_label_classification")
    found = load_picture_classifier(folder, CPU).probabilities(pictures())
    np.testing.assert_allclose(found, logits(folder).sigmoid(), atol=1e-5)


def test_classes_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    labels = tuple(f"class {number}" for number in range(12))
    assert read_labels(write_classifier(tmp_path, labels)) == labels


def test_what_is_no_classifier_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no config\.json"):
        load_picture_classifier(tmp_path, CPU)
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(FileFormatError, match="names no classes"):
        load_picture_classifier(tmp_path, CPU)
    (tmp_path / "config.json").write_text('{"model_type": "vit", "id2label": {"first": "a"}}')
    with pytest.raises(FileFormatError, match="no number"):
        read_labels(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "vit", "id2label": {"0": "a"}}')
    with pytest.raises(FileFormatError, match="cannot be read as a classifier"):
        load_picture_classifier(tmp_path, CPU)
