"""What heads over embedders say: beauty, pictures made by a model, whatever a user has trained one for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image

from mezzotint.curation.profiling.decoding import Picture
from mezzotint.curation.thresholds import Between
from mezzotint.curation.vectors.catalogue import CLIP, EMBEDDERS, identity, load_picture_embedder
from mezzotint.curation.vectors.heads import Head, digest, load_head
from mezzotint.data.parquet import pa
from mezzotint.data.records import Caption
from mezzotint.errors import InputError

_VERSION, _DIGITS = "1", 4


@dataclass(frozen=True, kw_only=True)
class Heads:
    """A measure for each head, by its name, from 0 to 1. No limit is set: what the labels mean is the user's to say."""

    folders: tuple[Path, ...]
    device: str | None
    name: str = "heads"
    others: tuple[pa.Field, ...] = ()

    @cached_property
    def version(self) -> str:
        return " ".join([_VERSION, *map(digest, self.folders)])

    @cached_property
    def limits(self) -> tuple[Between, ...]:
        return tuple(Between(measure=head.name) for head in self._heads)

    def check(self) -> None:
        """Raises InputError for a head over an embedder that has no name here, and the errors of `load_head`."""
        for head in self._heads:
            self._embedder_of(head)

    def __call__(self, pictures: Sequence[Picture], captions: Sequence[Sequence[Caption]]) -> list[dict[str, Any]]:
        shown = [Image.fromarray(picture.rgb) for picture in pictures]
        vectors: dict[str, Float32[ndarray, "b d"]] = {}
        for name in {self._embedder_of(head) for head in self._heads}:
            vectors[name] = load_picture_embedder(name, self.device).embed_pictures(shown)
        shares = [head(vectors[self._embedder_of(head)]) for head in self._heads]
        return [
            {head.name: round(float(share), _DIGITS) for head, share in zip(self._heads, row, strict=True)}
            for row in np.stack(shares, axis=1)
        ]

    @cached_property
    def _heads(self) -> list[Head]:
        return [load_head(folder) for folder in self.folders]

    def _embedder_of(self, head: Head) -> str:
        for name in (*EMBEDDERS, CLIP):
            if head.embedder == identity(name):
                return name
        raise InputError(
            f"head {head.name!r} is for vectors of {head.embedder}, which comes from a folder: curate embed and "
            "curate score judge by it"
        )
