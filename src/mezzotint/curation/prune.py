"""Lists of pictures that go, and a corpus without them.

A list is a file of JSON lines: {"id": …} and why, of each picture.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mezzotint.curation.runner import Progress, silent
from mezzotint.data.manifest import StoredFile
from mezzotint.data.record_pictures import encoded
from mezzotint.data.records import RECORDS, Record, find_shards, read_shard, write_shard
from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.runtime import atomic, made_of


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """Pictures that stayed and that went; ids on the lists that no picture has."""

    kept: int
    dropped: int
    unknown: int


def write_list(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Each line has an `id`."""
    atomic.write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def read_list(path: Path) -> frozenset[str]:
    """The ids of a list. Raises MissingFileError for no file, FileFormatError for one of another form."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        return frozenset(str(json.loads(line)["id"]) for line in lines if line.strip())
    except FileNotFoundError as cause:
        raise MissingFileError(f"list {path} does not exist: mezzotint curate dedup and diagnose write such") from cause
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise FileFormatError(f'{path} is no list of pictures: each line is to be {{"id": "…"}}') from cause


def prune(corpus: Path, out: Path, ids: frozenset[str], *, progress: Progress = silent) -> Pruned:
    """Write the corpus anew without some of its pictures; a killed run goes on at the file that it had come to.

    Raises the errors of `find_shards`, InputError for an output inside of the corpus or in another's folder,
    OutputError.
    """
    if out.resolve().is_relative_to(corpus.resolve()):
        raise InputError(f"output {out} lies inside of the corpus {corpus}: name a folder elsewhere")
    shards = find_shards(corpus)
    origin = {"shards": [StoredFile.of(path).sha256 for path in shards], "without": sorted(ids)}
    made_of.keep_only(out, origin, ("*/records-*.parquet",))
    kept = dropped = 0
    with progress("pruning", sum(map(RECORDS.count, shards))) as advance:
        for shard in shards:
            path, before = out / shard.relative_to(corpus), RECORDS.count(shard)
            if not path.is_file():
                stay = (record for record in read_shard(shard) if record.id not in ids)
                write_shard(path, [_with_picture(record, corpus) for record in stay])
            after = RECORDS.count(path)
            kept, dropped = kept + after, dropped + before - after
            advance(before)
    return Pruned(kept=kept, dropped=dropped, unknown=len(ids) - dropped)


def _with_picture(record: Record, corpus: Path) -> Record:
    """Its picture inside, since a path is relative to the corpus that it comes from."""
    return replace(record, picture=encoded(record, corpus), path=None)
