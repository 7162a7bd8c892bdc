"""The pictures that were kept, as a corpus: records with the pictures inside, which training and encoding read."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mezzotint.curation import tables
from mezzotint.curation.engine import distribute
from mezzotint.curation.profiling.stage import ALL_MEASURES
from mezzotint.curation.runner import MANIFEST, Line, Progress, Shard
from mezzotint.curation.stage import CPU
from mezzotint.data.records import Caption, Record, write_shard
from mezzotint.errors import InputError
from mezzotint.runtime import atomic

PART = "curated"
_VERSION = {"corpus": "1"}
_FACTS = ("width", "height", "sha256")


@dataclass(frozen=True)
class Chosen:
    """What goes into one file of the corpus: some rows of a shard, and the tables that have their measures."""

    path: Path
    shard: Shard
    tables: tuple[Path, ...]
    numbers: frozenset[int]
    measures: tuple[str, ...] = ALL_MEASURES
    captions: tuple[str, ...] = ()  # lists of words that become captions of this kind

    @property
    def digest(self) -> str:
        what = f"{self.shard.digest} {[tables.made_of(path) for path in self.tables]} {sorted(self.numbers)}"
        return hashlib.sha256(what.encode()).hexdigest()


def write_corpus(folder: Path, chosen: Sequence[Chosen], *, workers: int, progress: Progress) -> None:
    """Make what is missing of the part; a rerun keeps the files that the manifest vouches for.

    Raises InputError for a picture that is no longer what was measured, OutputError.
    """
    names = {one.path.name for one in chosen}
    for path in [*folder.glob("records-*.parquet"), *folder.glob(".*.partial")]:
        if path.name not in names:
            path.unlink(missing_ok=True)
    noted = {line.name: line for line in _read_manifest(folder)}
    done = {one.path.name: noted[one.path.name] for one in chosen if _is_whole(one, noted.get(one.path.name))}
    missing = [one for one in chosen if one.path.name not in done]
    with progress(PART, sum(len(one.numbers) for one in missing)) as advance:
        for line in distribute(_write, missing, workers=workers, resources=CPU):
            done[line.name] = line
            _write_manifest(folder, done)
            advance(line.rows)
    _write_manifest(folder, done)


def _write(chosen: Chosen) -> Line:
    columns = ("number", "id", *_FACTS, *chosen.measures, *chosen.captions)
    measured = {row["number"]: row for batch in tables.joined(chosen.tables, columns) for row in batch.to_pylist()}
    records = [_record(row, measured[row["number"]], chosen) for row in _rows(chosen, measured)]
    digest = write_shard(chosen.path, records)
    return Line(name=chosen.path.name, rows=len(records), sha256=digest, input=chosen.digest, stages=_VERSION)


def _rows(chosen: Chosen, measured: Mapping[int, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The chosen rows, read again: each with the picture that was measured."""
    missing = set(chosen.numbers)
    for outcome in chosen.shard.read():
        for row, reason in zip(outcome.rows.to_pylist(), outcome.reasons, strict=True):
            if (number := row["number"]) not in missing:
                continue
            if reason is None and hashlib.sha256(row["picture"]).hexdigest() != measured[number]["sha256"]:
                reason = "its file is another one"
            if reason is not None:
                raise _changed(measured[number]["id"], reason)
            missing.remove(number)
            yield row
    if missing:
        raise _changed(measured[min(missing)]["id"], "it is gone")


def _changed(picture: str, how: str) -> InputError:
    return InputError(
        f"picture {picture!r} is not what was measured ({how}): run the same command again, or give it another --out"
    )


def _record(row: dict[str, Any], measured: dict[str, Any], chosen: Chosen) -> Record:
    """The row as it came, with what was measured; its picture is inside, so no path is needed."""
    known = {field.name: row[field.name] for field in fields(Record)}
    known |= {name: measured[name] for name in _FACTS}
    words = (Caption(kind, "en", ", ".join(measured[kind])) for kind in chosen.captions if measured[kind])
    known["captions"] = (*(Caption(**caption) for caption in row["captions"]), *words)
    own = {name: measured[name] for name in chosen.measures if measured[name] is not None}
    known["measures"] = {**dict(row["measures"]), **own}
    return Record(**known | {"path": None})


def _is_whole(chosen: Chosen, line: Line | None) -> bool:
    if line is None or line.input != chosen.digest or line.stages != _VERSION or not chosen.path.is_file():
        return False
    return hashlib.sha256(chosen.path.read_bytes()).hexdigest() == line.sha256


def _read_manifest(folder: Path) -> list[Line]:
    try:
        return [Line(**json.loads(line)) for line in (folder / MANIFEST).read_text(encoding="utf-8").splitlines()]
    except (FileNotFoundError, ValueError, TypeError):
        return []


def _write_manifest(folder: Path, lines: dict[str, Line]) -> None:
    text = "".join(json.dumps(asdict(lines[name])) + "\n" for name in sorted(lines))
    atomic.write_text(folder / MANIFEST, text)
