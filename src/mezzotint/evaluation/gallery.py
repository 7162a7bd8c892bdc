"""The examiner's view: features of pictures, and the gallery of all real sprites that a picture is looked up in."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from mezzotint.data.buckets import Bucket
from mezzotint.data.pictures import WHITE, Placement, place, to_tensor
from mezzotint.data.record_pictures import decode
from mezzotint.data.records import Record, find_shards, read_records
from mezzotint.errors import InputError
from mezzotint.perception.efficientnet import WEIGHTS, EfficientNetLite
from mezzotint.runtime import atomic
from mezzotint.runtime.cache import cache_folder
from mezzotint.runtime.progress import progress

CANVAS = 128  # pixels: real sprites are brought to the size of the mini's pictures, so that both are equally sharp
SQUARE = Bucket(CANVAS, CANVAS)
VIEW = 160  # pixels: the side at which the examiner looks
_BATCH = 64
_ON_WHITE = Placement(scale=1.0, anchor=(0.5, 0.5), background=WHITE)


class Examiner:
    """EfficientNet-Lite0's features of pictures; see `perception.efficientnet` for who may use it."""

    def __init__(self, network: EfficientNetLite, device: torch.device) -> None:
        self._network, self._device = network.to(device), device

    @torch.inference_mode()
    def features(self, pictures: Float[Tensor, "b 3 h w"]) -> Float[np.ndarray, "b d"]:
        """Of pictures in [−1, 1]; what is not square gets white margins."""
        found = [self._network(_view(part).to(self._device)).cpu() for part in pictures.split(_BATCH)]
        return torch.cat(found).numpy()


def _view(pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 side side"]:
    height, width = pictures.shape[-2:]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    square = F.pad(pictures.float(), (left, side - width - left, top, side - height - top), value=1.0)
    seen = F.interpolate(square, (VIEW, VIEW), mode="bicubic", antialias=True, align_corners=False)
    return seen.clamp(-1, 1).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, kw_only=True, eq=False)
class Gallery:
    """All sprites of a corpus, in all styles: their features (d = 1280), and what each shows."""

    features: Float[np.ndarray, "n d"]
    concepts: tuple[str, ...]  # of each sprite
    styles: tuple[str, ...]

    @cached_property
    def names(self) -> list[str]:
        """The concepts, each once."""
        return sorted(set(self.concepts))

    @cached_property
    def _concept(self) -> Int[np.ndarray, "n"]:
        return np.searchsorted(self.names, self.concepts)

    @cached_property
    def _units(self) -> Float[np.ndarray, "n d"]:
        return unit(self.features)

    def ranks(
        self,
        features: Float[np.ndarray, "b d"],
        concepts: Sequence[str],
        kept: Bool[np.ndarray, "n"] | None = None,
    ) -> Int[np.ndarray, "b"]:
        """How many concepts lie nearer to each picture than its own (0: its own is the first).

        A concept is as near as the nearest of its sprites, by cosine. `kept` says which sprites may be looked at; a
        concept of which none is left comes last.
        """
        rows = np.arange(len(self.concepts)) if kept is None else np.flatnonzero(kept)
        rows = rows[np.argsort(self._concept[rows], kind="stable")]
        there, starts = np.unique(self._concept[rows], return_index=True)
        nearest = np.maximum.reduceat(unit(features) @ self._units[rows].T, starts, axis=1)
        columns = {concept: column for column, concept in enumerate(np.asarray(self.names)[there])}
        own = np.array([row[columns[c]] if c in columns else -1.0 for row, c in zip(nearest, concepts, strict=True)])
        return (nearest > own[:, None]).sum(1)

    def styles_alike(self, features: Float[np.ndarray, "b d"], concepts: Sequence[str]) -> np.ndarray:
        """The style of the sprite that each picture is nearest to, by cosine, among those of its own concept."""
        known, found = np.asarray(self.concepts), []
        for feature, concept in zip(unit(features), concepts, strict=True):
            rows = np.flatnonzero(known == concept)
            found.append(self.styles[rows[(self._units[rows] @ feature).argmax()]])
        return np.array(found)

    def where(self, concepts: Sequence[str], style: str) -> Int[np.ndarray, "m"]:
        """The sprites that show some of the concepts in a style."""
        wanted = set(concepts)
        pairs = zip(self.concepts, self.styles, strict=True)
        return np.array([row for row, (concept, own) in enumerate(pairs) if own == style and concept in wanted], int)


def unit(features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Of length 1."""
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def sprites_of(corpus: Path, concepts: Collection[str], style: str) -> list[Record]:
    """The sprites that show some of the concepts in a style, with their pictures."""
    records = read_records(corpus, ["picture", "path", "concept", "style"], parts=["sprites"])
    return [record for record in records if record.style == style and record.concept in concepts]


def sprite_pictures(records: Sequence[Record], corpus: Path, size: Bucket = SQUARE) -> Float[Tensor, "b 3 h w"]:
    """Sprites on white, in [−1, 1], as the model is to paint them."""
    return to_tensor([place(decode(record, corpus), size.width, size.height, _ON_WHITE) for record in records])


def load_gallery(corpus: Path, examiner: Examiner) -> Gallery:
    """The gallery of a corpus; its features are computed once (minutes) and kept in the cache.

    Raises:
        MissingFileError: The corpus has no sprites.
    """
    records = list(read_records(corpus, ["concept", "style"], parts=["sprites"]))
    kept = cache_folder() / "galleries" / f"{_identity(corpus)}.npy"
    if kept.is_file():
        features = np.load(kept)
    else:
        features = _features(corpus, len(records), examiner)
        with atomic.file(kept) as temporary, temporary.open("wb") as file:
            np.save(file, features)
    concepts, styles = zip(*((record.concept or "", record.style or "") for record in records), strict=True)
    return Gallery(features=features, concepts=concepts, styles=styles)


def check_concepts(gallery: Gallery, wanted: Sequence[str]) -> None:
    """Refuse a corpus that does not show what is asked about."""
    if missing := sorted(set(wanted) - set(gallery.names)):
        raise InputError(f"the corpus shows no {', '.join(missing[:3])} ({len(missing)} concepts in all are missing)")


def _features(corpus: Path, count: int, examiner: Examiner) -> Float[np.ndarray, "n d"]:
    columns, found, batch = ["id", "picture", "path"], [], []
    with progress("looking at all sprites", count) as advance:
        for number, record in enumerate(read_records(corpus, columns, parts=["sprites"]), start=1):
            batch.append(record)
            if len(batch) == _BATCH or number == count:
                found.append(examiner.features(sprite_pictures(batch, corpus)))
                advance(len(batch))
                batch = []
    return np.concatenate(found)


def _identity(corpus: Path) -> str:
    """Changes with anything that the features depend on."""
    digest = hashlib.sha256(f"1 {WEIGHTS.sha256} {CANVAS} {VIEW}".encode())
    for shard in find_shards(corpus, ["sprites"]):
        digest.update(hashlib.sha256(shard.read_bytes()).digest())
    return digest.hexdigest()[:32]
