"""What spoils a picture, as scores from 0 to 1: a colour cast, blur, noise, a watermark.

Z-Image's report scores the same four with a network of its own, which it does not describe. Ours is a logistic
regression over what the public ImageNet classifier sees of the picture and of its middle pixels as they are
stored, and over the measures that are taken by hand. It is a folder:

    quality.safetensors    weights and biases in fp32, mean and deviation of the measures; whose definitions of them
                           these are, as metadata
    card.md                what it was trained on, and how well it told pictures apart that it had not seen
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image
from safetensors import SafetensorError, safe_open

from mezzotint.curation.profiling.decoding import Picture
from mezzotint.curation.profiling.stage import MEASURES, Profile
from mezzotint.curation.thresholds import Between
from mezzotint.curation.vectors.catalogue import load_picture_embedder
from mezzotint.data.parquet import pa
from mezzotint.data.records import Caption
from mezzotint.errors import FileFormatError, MissingFileError

FILE, CARD = "quality.safetensors", "card.md"
MADE_WITH = {"measures": Profile().version}
EMBEDDER = "efficientnet-lite0"

# By score, the kind of `planting` that shows it, and the measure by hand that is meant to find it.
SCORES: Mapping[str, tuple[str, str]] = {
    "quality_colour_cast": ("tinted", "colour_cast"),
    "quality_blur": ("blurred", "clarity"),
    "quality_noise": ("noisy", "noise"),
    "quality_watermark": ("watermarked", "watermark"),
}
BY_HAND = ("colour_cast", "clarity", "noise", "watermark", "texture", "saturation", "entropy", "transient_jpeg")
_LONG_TAILED = ("clarity", "noise")
_DETAIL = 224  # pixels of the middle square
_VERSION, _DIGITS = "1", 4


@dataclass(frozen=True, kw_only=True, eq=False)
class QualityHead:
    """From `features` and `by_hand` to scores, in the order of SCORES."""

    weights: Float32[ndarray, "scores d"]
    biases: Float32[ndarray, "scores"]
    mean: Float32[ndarray, "m"]
    deviation: Float32[ndarray, "m"]

    def __call__(
        self, features: Float32[ndarray, "n f"], measures: Float32[ndarray, "n m"]
    ) -> Float32[ndarray, "n scores"]:
        x = np.concatenate([features, self.scaled(measures)], axis=1)
        return 1 / (1 + np.exp(-np.clip(x @ self.weights.T + self.biases, -60, 60)))

    def scaled(self, measures: Float32[ndarray, "n m"]) -> Float32[ndarray, "n m"]:
        return (measures - self.mean) / self.deviation


def features(pictures: Sequence[Picture], device: str | None) -> Float32[ndarray, "n f"]:
    """What the network sees of each picture's middle, reduced and as it is stored: two unit vectors side by side."""
    embedder = load_picture_embedder(EMBEDDER, device)
    whole = embedder.embed_pictures([Image.fromarray(picture.rgb) for picture in pictures])
    detail = embedder.embed_pictures([_middle(picture) for picture in pictures])
    return np.concatenate([whole, detail], axis=1)


def by_hand(pictures: Sequence[Picture]) -> Float32[ndarray, "n m"]:
    """BY_HAND of each picture; of those that have a long tail the logarithm."""
    rows = [[float(MEASURES[name](picture)) for name in BY_HAND] for picture in pictures]
    found = np.array(rows, np.float32).reshape(-1, len(BY_HAND))
    tails = [BY_HAND.index(name) for name in _LONG_TAILED]
    found[:, tails] = np.log1p(found[:, tails])
    return found


def _middle(picture: Picture) -> Image.Image:
    height, width = (min(_DETAIL, length) for length in picture.patch.shape)
    top, left = ((whole - own) // 2 for whole, own in zip(picture.patch.shape, (height, width), strict=True))
    return Image.fromarray(picture.patch[top : top + height, left : left + width]).convert("RGB")


def load_quality_head(folder: Path) -> QualityHead:
    """Raises MissingFileError for a folder without a head, FileFormatError for a broken one, or of other measures."""
    try:
        with safe_open(_file(folder), "numpy") as file:
            made_with = file.metadata()
            head = QualityHead(**{name: file.get_tensor(name) for name in ("weights", "biases", "mean", "deviation")})
    except (SafetensorError, KeyError) as cause:
        raise FileFormatError(f"{folder / FILE} is not a quality head ({cause}): train it again") from cause
    if made_with != MADE_WITH:
        raise FileFormatError(f"{folder / FILE} was trained with other definitions of the measures: train it again")
    return head


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The scores of a head. No limit is set: how sure is sure enough depends on the pictures (docs/curation.md)."""

    folder: Path
    device: str | None
    name: str = "quality"
    limits: tuple[Between, ...] = tuple(Between(measure=score) for score in SCORES)
    others: tuple[pa.Field, ...] = ()

    @cached_property
    def version(self) -> str:
        return f"{_VERSION} {hashlib.sha256(_file(self.folder).read_bytes()).hexdigest()}"

    def check(self) -> None:
        """Raises the errors of `load_quality_head`."""
        load_quality_head(self.folder)

    def __call__(self, pictures: Sequence[Picture], captions: Sequence[Sequence[Caption]]) -> list[dict[str, Any]]:
        scores = self._head(features(pictures, self.device), by_hand(pictures))
        return [dict(zip(SCORES, (round(float(score), _DIGITS) for score in row), strict=True)) for row in scores]

    @cached_property
    def _head(self) -> QualityHead:
        return load_quality_head(self.folder)


def _file(folder: Path) -> Path:
    if not (folder / FILE).is_file():
        raise MissingFileError(f"{folder} holds no quality head: mezzotint curate train-quality makes one")
    return folder / FILE
