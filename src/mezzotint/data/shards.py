"""Latents and caption features on disk, at fixed places, so that any sample is read in microseconds.

A shard is a folder. Numbers are float16, little endian, without a header:

    128x128.latents      one file a bucket: "sample channel row column", all samples of the bucket one after another
    captions.features    "token feature": the captions one after another; a text that several samples share stands once
    samples.parquet      one row a sample: its id, split, bucket and place there, and where its captions stand
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from mezzotint.data import manifest
from mezzotint.data.buckets import Bucket, parse
from mezzotint.data.manifest import ShardEntry, StoredFile
from mezzotint.data.parquet import Format, pa
from mezzotint.data.records import Caption
from mezzotint.errors import FileFormatError, MissingFileError

EMPTY = "empty.features"
FEATURES = "captions.features"
LATENTS = ".latents"
SAMPLES = "samples.parquet"
_NUMBER_BYTES = 2
_CAPTION = [("kind", pa.string()), ("language", pa.string()), ("text", pa.string())]
_PLACE = [("start", pa.int64()), ("tokens", pa.int32())]  # in tokens from the start of the features file
FORMAT = Format(
    "encoded samples",
    1,
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("bucket", pa.string(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("captions", pa.list_(pa.struct(_CAPTION + _PLACE)), nullable=False),
    ],
)


@dataclass(frozen=True, kw_only=True)
class CaptionTable:
    """The captions of all samples, one after another; those of sample i are `first[i] : first[i + 1]`."""

    first: Int[ndarray, "samples+1"]
    kinds: list[str]
    kind: Int[ndarray, "captions"]  # index into `kinds`
    languages: list[str]
    language: Int[ndarray, "captions"]
    tokens: Int[ndarray, "captions"]
    start: Int[ndarray, "captions"]


class LatentShards:
    """A finished encoded folder, for random access. Only the table of samples is in memory; numbers are mapped.

    Raises MissingFileError for a folder that is not encoded, not to the end, or lacks a file; FileFormatError for one
    whose files are cut short or do not fit together. `verify` reads all of it, and compares the digests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.manifest = manifest.read(self.folder)
        if not self.manifest.complete:
            raise MissingFileError(f"{folder} is not encoded to the end: run the same mezzotint encode again")
        self._check_sizes()
        self._read_samples()
        self._latents: dict[tuple[int, int], Tensor] = {}  # by shard and bucket
        self._features: list[Tensor] = []  # by shard
        for index, shard in enumerate(self.manifest.shards):
            self._map_shard(index, shard)
        self.empty_caption = _map(self.folder / EMPTY, (self.manifest.encoding.caption_dim,)).float()
        """The features of the empty prompt, fp32 "n d": what a dropped caption becomes."""

    def __len__(self) -> int:
        return len(self.ids)

    def latents(self, sample: int) -> Float[Tensor, "c h w"]:
        """The latents of one picture, float16, a view of the file."""
        return self._latents[int(self._shard[sample]), int(self.bucket[sample])][int(self._row[sample])]

    def features(self, sample: int, caption: int) -> Float[Tensor, "n d"]:
        """The features of one caption (an index into `captions`) of a sample, float16, a view of the file."""
        start = int(self.captions.start[caption])
        return self._features[self._shard[sample]][start : start + int(self.captions.tokens[caption])]

    def texts(self, sample: int) -> list[Caption]:
        """The captions of a sample as text; read from the disk each time, in milliseconds."""
        shard = self._shard[sample]
        path = self.folder / self.manifest.shards[shard].name / SAMPLES
        rows = [row for batch in FORMAT.read(path, ["captions"]) for row in batch.column(0).to_pylist()]
        row = rows[sample - int(np.searchsorted(self._shard, shard))]
        return [Caption(fields["kind"], fields["language"], fields["text"]) for fields in row]

    @cached_property
    def caption_texts(self) -> pa.ChunkedArray:
        """The text of every caption of `captions`; read at the first use, and kept."""
        shards = [self.folder / shard.name / SAMPLES for shard in self.manifest.shards]
        lists = [batch.column(0) for path in shards for batch in FORMAT.read(path, ["captions"])]
        return pa.chunked_array([each.flatten().field("text") for each in lists], pa.string())

    def require_models(self, model: Path, components: Sequence[manifest.Component] = manifest.COMPONENTS) -> None:
        """Refuse (InputError) a model folder whose autoencoder or text tower, if read, did not make these shards."""
        manifest.require_models(self.manifest.encoding, model, self.folder, components)

    def verify(self) -> None:
        """Compare the digest of every file. Raises FileFormatError for the first that differs."""
        for path, stored in self._files().items():
            if StoredFile.of(path) != stored:
                raise FileFormatError(f"{path} has changed since it was written: encode the corpus again")

    def _files(self) -> dict[Path, StoredFile]:
        shards = {
            self.folder / entry.name / name: stored
            for entry in self.manifest.shards
            for name, stored in entry.files.items()
        }
        return {self.folder / EMPTY: self.manifest.empty, **shards}

    def _check_sizes(self) -> None:
        for path, stored in self._files().items():
            if not path.is_file():
                raise MissingFileError(f"{path} is missing: encode the corpus again")
            if path.stat().st_size != stored.bytes:
                raise FileFormatError(
                    f"{path} has {path.stat().st_size} bytes instead of {stored.bytes}: encode the corpus again"
                )

    def _read_samples(self) -> None:
        shards = self.manifest.shards
        batches = [list(FORMAT.read(self.folder / shard.name / SAMPLES, FORMAT.schema.names)) for shard in shards]
        counts = [sum(map(len, of_shard)) for of_shard in batches]
        table = pa.Table.from_batches([batch for of_shard in batches for batch in of_shard], FORMAT.schema)
        self.ids: list[str] = table["id"].to_pylist()
        self.splits: list[str] = table["split"].to_pylist()
        names, self.bucket = _coded(table["bucket"].combine_chunks())
        self.buckets: list[Bucket] = [parse(name, self.manifest.encoding.downscale) for name in names]
        self.captions = _caption_table(table["captions"].combine_chunks())
        self._row = table["row"].to_numpy()
        self._shard = np.repeat(np.arange(len(shards)), counts)

    def _map_shard(self, index: int, shard: ShardEntry) -> None:
        """Map the files of one shard, and check that its samples lie inside them."""
        encoding = self.manifest.encoding
        folder = self.folder / shard.name
        features = _map(folder / FEATURES, (encoding.caption_dim,))
        self._features.append(features)
        first, last = np.searchsorted(self._shard, (index, index + 1))
        captions = slice(self.captions.first[first], self.captions.first[last])
        start, tokens = self.captions.start[captions], self.captions.tokens[captions]
        fits = last - first == shard.samples and _inside(start, tokens, len(features))
        for bucket in np.unique(self.bucket[first:last]):
            width, height = self.buckets[bucket].width, self.buckets[bucket].height
            shape = (encoding.channels, height // encoding.downscale, width // encoding.downscale)
            latents = _map(folder / f"{self.buckets[bucket]}{LATENTS}", shape)
            self._latents[index, int(bucket)] = latents
            rows = self._row[first:last][self.bucket[first:last] == bucket]
            fits &= _inside(rows, np.ones_like(rows), len(latents))
        if not fits:
            raise FileFormatError(f"{folder / SAMPLES} does not fit the files beside it: encode the corpus again")


def _map(path: Path, item: tuple[int, ...]) -> Float[Tensor, "n ..."]:
    """A file as items of one shape. A mapping keeps no file descriptor, so there may be many shards."""
    if not path.is_file():
        raise MissingFileError(f"{path} is missing: encode the corpus again")
    numbers, odd = divmod(path.stat().st_size, _NUMBER_BYTES)
    if odd or numbers % math.prod(item):
        raise FileFormatError(f"{path} is not made of items of {item} float16 numbers: encode the corpus again")
    if numbers == 0:
        return torch.empty(0, *item, dtype=torch.float16)
    return torch.from_file(str(path), shared=False, size=numbers, dtype=torch.float16).unflatten(0, (-1, *item))


def _inside(start: Int[ndarray, "n"], length: Int[ndarray, "n"], end: int) -> bool:
    return bool(np.all((start >= 0) & (length > 0) & (start + length <= end)))


def _coded(values: pa.Array) -> tuple[list[str], Int[ndarray, "n"]]:
    """The distinct values, sorted, and for each value its index among them."""
    encoded = values.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    rank = {name: index for index, name in enumerate(sorted(names))}
    return sorted(names), np.array([rank[name] for name in names], np.int32)[encoded.indices.to_numpy()]


def _caption_table(lists: pa.ListArray) -> CaptionTable:
    captions = lists.flatten()
    kinds, kind = _coded(captions.field("kind"))
    languages, language = _coded(captions.field("language"))
    return CaptionTable(
        first=np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy())]).astype(np.int64),
        kinds=kinds,
        kind=kind,
        languages=languages,
        language=language,
        tokens=captions.field("tokens").to_numpy(),
        start=captions.field("start").to_numpy(),
    )
