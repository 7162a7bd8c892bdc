"""How likely a picture is not safe for work, by a classifier that the user brings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from mezzotint.curation.profiling.decoding import Picture
from mezzotint.curation.thresholds import Between
from mezzotint.curation.vectors.catalogue import identity
from mezzotint.data.parquet import pa
from mezzotint.data.records import Caption
from mezzotint.errors import InputError
from mezzotint.perception.picture_classifier import PictureClassifier, load_picture_classifier, read_labels
from mezzotint.runtime.device import resolve_device

_VERSION, _DIGITS = "1", 4


@dataclass(frozen=True, kw_only=True)
class Nsfw:
    """The probabilities of some of the classifier's classes together, 0 to 1.

    Whatever it calls likelier than not is dropped unless a user says otherwise: the classifier's own decision.
    """

    folder: Path
    labels: tuple[str, ...]
    device: str | None
    name: str = "nsfw"
    limits: tuple[Between, ...] = (Between(measure="nsfw", most=0.5),)
    others: tuple[pa.Field, ...] = ()

    @cached_property
    def version(self) -> str:
        return f"{_VERSION} {identity(str(self.folder))} {','.join(self.labels)}"

    def check(self) -> None:
        """Raises InputError for classes that the classifier has not, and the errors of `read_labels`."""
        known = read_labels(self.folder)
        if missing := [label for label in self.labels if label not in known]:
            raise InputError(f"classifier {self.folder} has no class {missing[0]!r}: it has {', '.join(known)}")

    def __call__(self, pictures: Sequence[Picture], captions: Sequence[Sequence[Caption]]) -> list[dict[str, Any]]:
        shares = self._classifier.probabilities([Image.fromarray(picture.rgb) for picture in pictures])
        chosen = [self._classifier.labels.index(label) for label in self.labels]
        return [{"nsfw": round(min(1.0, float(row[chosen].sum())), _DIGITS)} for row in shares]

    @cached_property
    def _classifier(self) -> PictureClassifier:
        return load_picture_classifier(self.folder, resolve_device(self.device))

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: not the network."""
        return {name: value for name, value in self.__dict__.items() if name != "_classifier"}
