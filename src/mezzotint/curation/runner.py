"""One pass: stages over all shards of an input, to be killed at any moment and run again.

    <folder>/00000.parquet     the rows of one shard, kept and dropped, and what they were made of
    <folder>/manifest.jsonl    one line a finished shard: the digests of input and output, the stages' versions

A shard is written under a temporary name and renamed. A rerun keeps what was made of the same input by the same stages,
makes the rest, and ends with the same files.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mezzotint.curation import tables
from mezzotint.curation.engine import distribute
from mezzotint.curation.stage import Outcome, Resources, Stage, apply, table_schema
from mezzotint.data.parquet import pa
from mezzotint.errors import OutputError
from mezzotint.runtime import atomic

MANIFEST = "manifest.jsonl"


# As `mezzotint.runtime.progress.progress`: from a description and a total to a function that is told of items done.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@contextmanager
def silent(description: str, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


@runtime_checkable
class Shard(Protocol):
    """A part of an input. It travels to other processes, so it must be picklable."""

    @property
    def rows(self) -> int: ...
    @property
    def digest(self) -> str:
        """Changes whenever its rows would."""
        ...

    @property
    def schema(self) -> pa.Schema: ...
    def read(self) -> Iterator[Outcome]:
        """Its rows in batches that fit into memory, their `number` counting on; a row that cannot be read says why."""
        ...


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a manifest."""

    name: str
    rows: int
    sha256: str
    input: str
    stages: Mapping[str, str]


def run_pass(
    folder: Path,
    shards: Sequence[Shard],
    origin: str,
    stages: Sequence[Stage],
    *,
    workers: int,
    progress: Progress = silent,
) -> list[Path]:
    """Make what is missing in `folder`; returns the tables, in the order of the shards.

    Args:
        origin: Who is said to have dropped what a shard cannot read.
        progress: Shows how many of the rows that are still missing are done.

    Raises OutputError for a folder that cannot be written, InputError for stages that do not fit together.
    """
    if shards:
        table_schema(shards[0].schema, stages)
    paths = [folder / f"{number:05d}.parquet" for number in range(len(shards))]
    _remove_others(folder, set(paths))
    work = _Work(origin, tuple(stages))
    done: dict[str, Line] = {}
    for path, shard in zip(paths, shards, strict=True):
        if tables.made_of(path) == work.made_of(shard):
            done[path.name] = work.line(path, shard, path.read_bytes())
    missing = [(path, shard) for path, shard in zip(paths, shards, strict=True) if path.name not in done]
    _write_manifest(folder, done.values())
    with progress(folder.name, sum(shard.rows for _, shard in missing)) as advance:
        for line in distribute(work, missing, workers=workers, resources=_together(stages)):
            done[line.name] = line
            _append(folder / MANIFEST, line)
            advance(line.rows)
    _write_manifest(folder, [done[path.name] for path in paths])
    return paths


@dataclass(frozen=True)
class _Work:
    """What is done to one shard, wherever that is."""

    origin: str
    stages: tuple[Stage, ...]

    def __call__(self, task: tuple[Path, Shard]) -> Line:
        path, shard = task
        schema = table_schema(shard.schema, self.stages)
        parts = [apply(outcome, self.origin, self.stages, schema) for outcome in shard.read()]
        table = pa.concat_tables([schema.empty_table(), *parts])
        return self.line(path, shard, tables.write(path, table, self.made_of(shard)))

    def made_of(self, shard: Shard) -> dict[str, Any]:
        return {"input": shard.digest, "stages": {stage.name: stage.version for stage in self.stages}}

    def line(self, path: Path, shard: Shard, written: bytes) -> Line:
        digest = hashlib.sha256(written).hexdigest()
        return Line(name=path.name, rows=shard.rows, sha256=digest, **self.made_of(shard))


def _together(stages: Sequence[Stage]) -> Resources:
    return Resources(gpus=max((stage.resources.gpus for stage in stages), default=0))


def _remove_others(folder: Path, planned: set[Path]) -> None:
    """Clear what a larger input or a killed run left."""
    for path in [*folder.glob("*.parquet"), *folder.glob(".*.partial")]:
        if path not in planned:
            path.unlink(missing_ok=True)


def _write_manifest(folder: Path, lines: Iterable[Line]) -> None:
    atomic.write_text(folder / MANIFEST, "".join(map(_as_text, lines)))


def _append(path: Path, line: Line) -> None:
    try:
        with path.open("a", encoding="utf-8") as manifest:
            manifest.write(_as_text(line))
    except OSError as cause:
        raise OutputError(f"cannot write {path}: {cause.strerror}") from cause


def _as_text(line: Line) -> str:
    return json.dumps(asdict(line)) + "\n"
