"""A corpus as vectors: its pictures and, if wanted, a caption of each, in the order of its records.

    <folder>/made_of.json            the digests of the record files, and of the embedders
    <folder>/embedders.json          the embedders' names
    <folder>/rows-00000.parquet      of each record file: which pictures these are, and what the steps after this need
    <folder>/part-00000-*.npy        its vectors; gone when all are there
    <folder>/pictures.npy            "n d"
    <folder>/captions.npy            "n e": the caption that `rows` has

A killed run goes on at the record file that it had come to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from mezzotint.curation.runner import Progress, silent
from mezzotint.curation.vectors.catalogue import identity, load_picture_embedder, load_text_embedder
from mezzotint.curation.vectors.embedders import PictureEmbedder, TextEmbedder
from mezzotint.curation.vectors.neighbours import Distribute
from mezzotint.curation.vectors.rows import ROWS, caption_of, row_of
from mezzotint.curation.vectors.vector_file import open_vectors, write_vectors
from mezzotint.data.manifest import StoredFile
from mezzotint.data.record_pictures import decode
from mezzotint.data.records import RECORDS, Record, find_shards, read_shard
from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.models.bundle import read_json
from mezzotint.runtime import atomic
from mezzotint.runtime.made_of import keep_only

PICTURES, CAPTIONS = "pictures", "captions"
_NAMES = "embedders.json"
_AT_ONCE = 64
_COLUMNS = ("id", "picture", "path", "width", "height", "concept", "captions", "measures")


@dataclass(frozen=True, kw_only=True)
class Embedders:
    """By what pictures, and captions if any, are embedded: names of `catalogue`; `device` is its best when None."""

    pictures: str
    captions: str | None = None
    language: str = "en"
    device: str | None = None


def embed_corpus(
    corpus: Path, folder: Path, embedders: Embedders, *, distribute: Distribute = map, progress: Progress = silent
) -> None:
    """Make what is not made yet.

    Raises the errors of `find_shards` and `load_embedder`, InputError for a corpus without pictures or a folder with
    other arrays, FileFormatError for a picture that cannot be read, OutputError for a folder that cannot be written.
    """
    shards = find_shards(corpus)
    made_of = {
        "shards": [StoredFile.of(path).sha256 for path in shards],
        "pictures": identity(embedders.pictures),
        "captions": None if embedders.captions is None else identity(embedders.captions),
        "language": embedders.language,  # of the caption in `rows`, embedded or not
    }
    keep_only(folder, made_of, ("*.npy", "rows-*.parquet"))
    atomic.write_json(folder / _NAMES, asdict(embedders))
    kinds = (PICTURES, CAPTIONS) if embedders.captions is not None else (PICTURES,)
    if not all((folder / f"{kind}.npy").is_file() for kind in kinds):
        missing = [task for task in enumerate(shards) if not _rows(folder, task[0]).is_file()]
        with progress("embedding", sum(RECORDS.count(path) for _, path in missing)) as advance:
            for rows in distribute(_EmbedShard(corpus, folder, embedders), missing):
                advance(rows)
        for kind in kinds:
            _gather(folder, kind)
    for path in folder.glob("part-*.npy"):
        path.unlink()


def read_embedders(folder: Path) -> Embedders:
    """By what a folder's vectors were made.

    Raises MissingFileError for a folder without vectors, FileFormatError for a broken note.
    """
    if not (folder / f"{PICTURES}.npy").is_file():
        raise MissingFileError(f"{folder} holds no embedded pictures: make it with mezzotint curate embed")
    try:
        return Embedders(**read_json(folder / _NAMES))
    except TypeError as cause:
        raise FileFormatError(f"{folder / _NAMES} does not name embedders: embed the corpus again") from cause


def open_embedders(folder: Path, device: str | None) -> tuple[PictureEmbedder, TextEmbedder | None]:
    """The embedders that made a folder's vectors; None for captions that were not embedded. The same errors."""
    names = read_embedders(folder)
    texts = None if names.captions is None else load_text_embedder(names.captions, device)
    return load_picture_embedder(names.pictures, device), texts


@dataclass(frozen=True)
class _EmbedShard:
    """Embeds the records of one file, wherever that is; returns their number."""

    corpus: Path
    folder: Path
    embedders: Embedders

    def __call__(self, task: tuple[int, Path]) -> int:
        number, shard = task
        pictures, captions, rows = [], [], []
        for records in _batches(read_shard(shard, _COLUMNS)):
            pictures.append(self._see(records))
            if self.embedders.captions is not None:
                captions.append(self._read(records))
            rows += [row_of(record, self.embedders.language) for record in records]
        for kind, blocks in ((PICTURES, pictures), (CAPTIONS, captions)):
            if blocks:
                width = blocks[0].shape[1]
                write_vectors(_part(self.folder, number, kind), blocks, rows=len(rows), width=width)
        atomic.write_bytes(_rows(self.folder, number), ROWS.to_bytes(rows))
        return len(rows)

    def _see(self, records: Sequence[Record]) -> Float[ndarray, "b d"]:
        embedder = load_picture_embedder(self.embedders.pictures, self.embedders.device)
        return embedder.embed_pictures([decode(record, self.corpus) for record in records])

    def _read(self, records: Sequence[Record]) -> Float[ndarray, "b e"]:
        embedder = load_text_embedder(self.embedders.captions or "", self.embedders.device)
        return embedder.embed_texts([caption_of(record, self.embedders.language) for record in records])


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(records, _AT_ONCE)):
        yield batch


def _rows(folder: Path, number: int) -> Path:
    return folder / f"rows-{number:05d}.parquet"


def _part(folder: Path, number: int, kind: str) -> Path:
    return folder / f"part-{number:05d}-{kind}.npy"


def _gather(folder: Path, kind: str) -> None:
    """The parts as one file; a record file without records has none."""
    parts = [open_vectors(path) for path in sorted(folder.glob(f"part-*-{kind}.npy"))]
    if not parts:
        raise InputError(f"there are no pictures to embed for {folder}")
    blocks = (np.asarray(block) for block in parts)
    write_vectors(folder / f"{kind}.npy", blocks, rows=sum(map(len, parts)), width=parts[0].shape[1])
