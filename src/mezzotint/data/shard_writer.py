"""Writing an encoded folder (shards.py has the layout) shard by shard: a kill at any moment costs one shard at most."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import torch
from jaxtyping import Float
from torch import Tensor

from mezzotint.data import manifest
from mezzotint.data.buckets import Bucket
from mezzotint.data.manifest import Encoding, Manifest, ShardEntry, StoredFile
from mezzotint.data.records import Caption
from mezzotint.data.shards import EMPTY, FEATURES, FORMAT, LATENTS, SAMPLES
from mezzotint.errors import InputError
from mezzotint.runtime import atomic


class LatentShardWriter:
    """Fills the folder of one shard: the samples first, then the features of every text that they need."""

    def __init__(self, folder: Path, encoding: Encoding) -> None:
        self.samples = 0
        self._folder, self._encoding = folder, encoding
        self._latents: dict[Bucket, BinaryIO] = {}
        self._in_bucket: dict[Bucket, int] = {}
        self._features: BinaryIO = (folder / FEATURES).open("wb")
        self._tokens = 0
        self._places: dict[str, dict[str, int] | None] = {}  # by text; None: its features are still missing
        self._rows: list[dict[str, Any]] = []

    def add_sample(
        self, *, id: str, split: str, bucket: Bucket, latents: Float[Tensor, "c h w"], captions: Sequence[Caption]
    ) -> None:
        """Append one picture. Raises InputError for latents beyond the range of float16."""
        side = self._encoding.downscale
        assert latents.shape == (self._encoding.channels, bucket.height // side, bucket.width // side)
        if bucket not in self._latents:
            self._latents[bucket] = (self._folder / f"{bucket}{LATENTS}").open("wb")
        self._latents[bucket].write(_half(latents, f"the latents of {id!r}"))
        row = self._in_bucket.get(bucket, 0)
        self._in_bucket[bucket] = row + 1
        self._rows.append({"id": id, "split": split, "bucket": str(bucket), "row": row, "captions": captions})
        self._places.update(dict.fromkeys((c.text for c in captions if c.text not in self._places), None))
        self.samples += 1

    @property
    def texts_without_features(self) -> list[str]:
        return [text for text, place in self._places.items() if place is None]

    def add_features(self, text: str, features: Float[Tensor, "n d"]) -> None:
        """Append the features of one text. Raises InputError for features beyond the range of float16."""
        assert features.shape[1] == self._encoding.caption_dim
        assert self._places[text] is None
        self._features.write(_half(features, f"the features of {text[:60]!r}"))
        self._places[text] = {"start": self._tokens, "tokens": len(features)}
        self._tokens += len(features)

    def close(self) -> None:
        """Write the table of samples; every text must have its features by now."""
        self._close_files()
        for row in self._rows:
            row["captions"] = [caption._asdict() | self._place(caption.text) for caption in row["captions"]]
        (self._folder / SAMPLES).write_bytes(FORMAT.to_bytes(self._rows))

    def _place(self, text: str) -> dict[str, int]:
        place = self._places[text]
        assert place is not None, f"no features for {text!r}"
        return place

    def _close_files(self) -> None:
        for file in (self._features, *self._latents.values()):
            file.close()

    def __enter__(self) -> "LatentShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._close_files()


class LatentFolderWriter:
    """Fills an encoded folder shard by shard. A shard is there whole or not at all; a rerun does only what is missing.

    `names` are the shards that the folder will have in the end.

    Raises InputError for a folder that was made with something else, or has a shard that is not among `names`.
    """

    def __init__(self, folder: Path, encoding: Encoding, empty: Float[Tensor, "n d"], names: Sequence[str]) -> None:
        self.folder, self._names = folder, set(names)
        for name in (manifest.NAME, EMPTY):
            atomic.clear_stale(folder / name)
        if (folder / manifest.NAME).is_file():
            self.manifest = manifest.read(folder)
            self._require_same(encoding)
            return
        atomic.write_bytes(folder / EMPTY, _half(empty, "the features of the empty prompt"))
        stored = StoredFile.of(folder / EMPTY)
        self.manifest = Manifest(encoding=encoding, empty=stored, shards=(), complete=False)
        self._save(())

    def _require_same(self, encoding: Encoding) -> None:
        if different := _differences(self.manifest.encoding, encoding):
            raise InputError(f"{self.folder} was encoded otherwise ({different}): give another --out, or remove it")
        if extra := {entry.name for entry in self.manifest.shards} - self._names:
            raise InputError(
                f"{self.folder} holds {', '.join(sorted(extra))}, which the corpus does not: "
                "give another --out, or remove it"
            )

    def has(self, name: str, source_sha256: str) -> bool:
        """Whether this shard is finished, from a record file with this digest."""
        return any(entry.name == name and entry.source_sha256 == source_sha256 for entry in self.manifest.shards)

    @contextmanager
    def shard(self, name: str, source_sha256: str) -> Iterator[LatentShardWriter]:
        """A writer for one shard, which counts as finished when the block ends without an error."""
        others = tuple(entry for entry in self.manifest.shards if entry.name != name)
        if len(others) < len(self.manifest.shards):
            self._save(others)  # the old one is about to go
        with atomic.folder(self.folder / name) as temporary:
            with LatentShardWriter(temporary, self.manifest.encoding) as writer:
                yield writer
            files = {path.name: StoredFile.of(path) for path in sorted(temporary.iterdir())}
        entry = ShardEntry(name=name, source_sha256=source_sha256, samples=writer.samples, files=files)
        self._save((*others, entry))

    def _save(self, entries: tuple[ShardEntry, ...]) -> None:
        complete = {entry.name for entry in entries} == self._names
        in_order = tuple(sorted(entries, key=lambda entry: entry.name))
        self.manifest = replace(self.manifest, shards=in_order, complete=complete)
        manifest.write(self.folder, self.manifest)


def _half(numbers: Float[Tensor, "..."], what: str) -> bytes:
    half = numbers.detach().to("cpu", torch.float16)
    if not half.isfinite().all():
        raise InputError(f"{what} cannot be stored as float16: its largest number is {float(numbers.abs().max()):g}")
    return half.numpy().astype("<f2").tobytes()


def _differences(there: Encoding, asked: Encoding) -> str:
    def flat(encoding: Encoding) -> dict[str, Any]:
        return {**vars(encoding), "models": None, "options": None, **encoding.models, **encoding.options}

    a, b = flat(there), flat(asked)
    return ", ".join(f"{k}: {a.get(k)} there, {b.get(k)} asked for" for k in {**a, **b} if a.get(k) != b.get(k))
