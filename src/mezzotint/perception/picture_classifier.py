"""Any picture classifier of the transformers library, from a folder: those among them that tell what is not safe."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.bundle import read_json

_CONFIG = "config.json"


class PictureClassifier:
    """The network of a folder and its own preparation of pictures; `labels` are its classes, in their order."""

    def __init__(self, model: Any, prepare: Any, labels: Sequence[str], device: torch.device) -> None:
        self._model, self._prepare, self._device = model.to(device).eval(), prepare, device
        self.labels = tuple(labels)

    @torch.inference_mode()
    def probabilities(self, pictures: Sequence[Image.Image]) -> Float32[ndarray, "b classes"]:
        """Of "RGB" pictures of any size. Of each they add up to 1, but where classes do not exclude each other."""
        prepared = self._prepare(list(pictures), return_tensors="pt").to(self._device)
        logits = self._model(**prepared).logits.float()
        apart = self._model.config.problem_type == "multi_label_classification" or len(self.labels) == 1
        return np.asarray((logits.sigmoid() if apart else logits.softmax(-1)).cpu())


def read_labels(folder: Path) -> tuple[str, ...]:
    """The classes that a classifier's folder names, in their order; read without loading it.

    Raises MissingFileError for a folder without a model, FileFormatError for one that names no classes.
    """
    if not (folder / _CONFIG).is_file():
        raise MissingFileError(f"{folder} is not a classifier's folder (no {_CONFIG})")
    named = read_json(folder / _CONFIG).get("id2label")
    if not isinstance(named, dict) or not named:
        raise FileFormatError(f"{folder / _CONFIG} names no classes (id2label): is it a classifier's?")
    try:
        return tuple(str(named[number]) for number in sorted(named, key=int))
    except ValueError as cause:
        raise FileFormatError(f"{folder / _CONFIG} numbers its classes by what is no number") from cause


def load_picture_classifier(folder: Path, device: torch.device) -> PictureClassifier:
    """A classifier of pictures, fp32, of safetensors.

    Raises:
        MissingFileError: The folder is none of a model.
        FileFormatError: It is of another kind, or a file in it is missing or broken.
    """
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    labels = read_labels(folder)
    try:
        model = AutoModelForImageClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        prepare = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as cause:
        raise FileFormatError(f"{folder} cannot be read as a classifier: {str(cause).splitlines()[0]}") from cause
    return PictureClassifier(model, prepare, labels, device)
