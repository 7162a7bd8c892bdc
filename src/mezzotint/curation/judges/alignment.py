"""How well a picture and its captions fit, in two languages."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from mezzotint.curation.profiling.decoding import Picture
from mezzotint.curation.thresholds import Between
from mezzotint.curation.vectors.catalogue import identity, load_embedder
from mezzotint.curation.vectors.embedders import Embedder
from mezzotint.data.parquet import pa
from mezzotint.data.records import Caption
from mezzotint.errors import InputError

LANGUAGES = ("en", "zh")
_VERSION, _DIGITS = "1", 4  # digits that no batch and no machine changes


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """The cosine of picture and caption, −1 to 1; of several captions in a language, the one that fits least.

    Z-Image report, section 2.1, which gives no limit; neither is one set here (docs/curation.md says why). A picture
    without a caption in the language has no such measure.
    """

    embedder: str  # a name of `catalogue`, of what sees and reads
    device: str | None
    name: str = "alignment"
    others: tuple[pa.Field, ...] = ()

    @cached_property
    def version(self) -> str:
        return f"{_VERSION} {identity(self.embedder)}"

    @property
    def limits(self) -> tuple[Between, ...]:
        return tuple(Between(measure=f"alignment_{language}") for language in LANGUAGES)

    def check(self) -> None:
        """Raises InputError for an embedder that does not both see and read, and the errors of its files."""
        self._embedder()

    def __call__(self, pictures: Sequence[Picture], captions: Sequence[Sequence[Caption]]) -> list[dict[str, Any]]:
        embedder = self._embedder()
        seen = embedder.embed_pictures([Image.fromarray(picture.rgb) for picture in pictures])
        asked = [
            (place, caption) for place, own in enumerate(captions) for caption in own if caption.language in LANGUAGES
        ]
        said: list[dict[str, Any]] = [{} for _ in pictures]
        if not asked:
            return said
        read = embedder.embed_texts([caption.text for _, caption in asked])
        cosines = np.einsum("nd,nd->n", read, seen[[place for place, _ in asked]])
        for (place, caption), cosine in zip(asked, cosines.tolist(), strict=True):
            _keep_least(said[place], f"alignment_{caption.language}", round(cosine, _DIGITS))
        return said

    def _embedder(self) -> Embedder:
        embedder = load_embedder(self.embedder, self.device)
        if not isinstance(embedder, Embedder):
            raise InputError(
                f"embedder {self.embedder!r} does not both see and read: mini-clip, SigLIP 2 and others do"
            )
        return embedder


def _keep_least(row: dict[str, Any], name: str, value: float) -> None:
    row[name] = min(value, row.get(name, value))
