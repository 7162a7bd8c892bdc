"""The pass that drops duplicates: it needs all pictures at once, so it is one table and not one a shard."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mezzotint.curation import tables
from mezzotint.curation.duplicates import VERSION, Alike, Pictures, find_copies, mean_hashes
from mezzotint.curation.profiling.hashes import THUMBNAIL
from mezzotint.data.parquet import pa

NAME = "duplicates"
_COLUMNS = ("id", "sha256", "perceptual_hash", "thumbnail", "preview", "width", "height", "file_bytes", "number")
_SCHEMA = pa.schema(
    [
        pa.field("shard", pa.int32()),
        pa.field("number", pa.int32()),
        pa.field("id", pa.string()),
        pa.field("of", pa.string()),  # the id of the picture that stays
        pa.field("reason", pa.string()),
    ]
)


def drop_copies(path: Path, profiles: Sequence[Path], selected: Sequence[Path], alike: Alike) -> pa.Table:
    """The copies among the pictures that were selected; made once for the same pictures.

    It holds about 3 KB a picture in memory.
    """
    made_of = {"input": _digest([*profiles, *selected]), "stages": {NAME: f"{VERSION} {alike}"}}
    if tables.made_of(path) != made_of:
        tables.write(path, _copies(profiles, selected, alike), made_of)
    return pa.Table.from_batches(list(tables.batches(path)), _SCHEMA)


def _copies(profiles: Sequence[Path], selected: Sequence[Path], alike: Alike) -> pa.Table:
    rows = pa.concat_tables([_kept(*task) for task in enumerate(zip(profiles, selected, strict=True))])
    ids, shards, numbers = (rows.column(name).to_pylist() for name in ("id", "shard", "number"))
    pixels = np.frombuffer(b"".join(rows.column("thumbnail").to_pylist()), np.uint8)
    thumbnails = pixels.reshape(-1, THUMBNAIL**2 * 3)
    pictures = Pictures(
        ids=ids,
        sha256=rows.column("sha256").to_pylist(),
        hashes=np.stack([rows.column("perceptual_hash").to_numpy(), mean_hashes(thumbnails)], axis=1),
        thumbnails=thumbnails,
        previews=rows.column("preview").to_pylist(),
        pixels=rows.column("width").to_numpy().astype(np.int64) * rows.column("height").to_numpy(),
        file_bytes=rows.column("file_bytes").to_numpy(),
    )
    found = sorted(find_copies(pictures, alike))
    return pa.Table.from_pydict(
        {
            "shard": [shards[one.copy] for one in found],
            "number": [numbers[one.copy] for one in found],
            "id": [ids[one.copy] for one in found],
            "of": [ids[one.of] for one in found],
            "reason": ["an exact copy" if one.exact else "a near copy" for one in found],
        },
        schema=_SCHEMA,
    )


def _kept(shard: int, both: tuple[Path, Path]) -> pa.Table:
    """The columns that duplicates are told by, of a shard's pictures that no stage has dropped."""
    profile, selected = both
    verdicts = _table(selected, ("number", "dropped_by"))
    numbers = set(verdicts.filter(verdicts.column("dropped_by").is_null()).column("number").to_pylist())
    rows = _table(profile, _COLUMNS)
    rows = rows.filter(pa.array([number in numbers for number in rows.column("number").to_pylist()], pa.bool_()))
    return rows.append_column("shard", pa.array([shard] * rows.num_rows, pa.int32()))


def _table(path: Path, columns: Sequence[str]) -> pa.Table:
    schema = pa.schema([tables.read_schema(path).field(name) for name in columns])
    return pa.Table.from_batches([batch.select(list(columns)) for batch in tables.batches(path, columns)], schema)


def _digest(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
