"""Building a corpus: parts in shards, by several processes, to be killed at any moment and run again.

A shard is a pure function of its part and number. It is written whole or not at all, then noted with its digest in the
part's manifest; a rerun keeps what the manifest and the digest vouch for, makes the rest, and ends with the same files.
"""

import hashlib
import json
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mezzotint.data.records import Record, find_shards, read_records, write_shard
from mezzotint.runtime import atomic

ROWS_PER_SHARD = 512
MANIFEST = "manifest.jsonl"
SUMMARY = "summary.json"


@runtime_checkable
class Part(Protocol):
    """One part of a corpus. It travels to other processes, so it must be picklable."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str:
        """Changes whenever the same index would give another record."""
        ...

    @property
    def count(self) -> int: ...
    def record(self, index: int) -> Record: ...


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One line of a manifest."""

    name: str
    sha256: str
    rows: int
    version: str


def build(
    folder: Path,
    parts: Sequence[Part],
    *,
    workers: int,
    rows_per_shard: int = ROWS_PER_SHARD,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> dict[str, Any]:
    """Make what is missing of the parts in `folder` and write `summary.json`; returns the summary.

    Args:
        workers: Processes; 1 builds in this one.
        on_rows: Called with the number of rows of each shard that is there now, kept or made.

    Raises OutputError for a folder that cannot be written.
    """
    for part in parts:
        _build_part(folder / part.name, part, workers, rows_per_shard, on_rows)
    summary = summarise(folder)
    atomic.write_json(folder / SUMMARY, summary)
    return summary


def _build_part(folder: Path, part: Part, workers: int, rows_per_shard: int, on_rows: Callable[[int], None]) -> None:
    kept = {shard.name: shard for shard in read_manifest(folder)}
    planned = {shard_name(start // rows_per_shard): start for start in range(0, part.count, rows_per_shard)}
    _remove_others(folder, set(planned))
    rows = {name: min(rows_per_shard, part.count - start) for name, start in planned.items()}
    done = {name: kept[name] for name in planned if name in kept and _is_whole(folder, kept[name], part, rows[name])}
    for shard in done.values():
        on_rows(shard.rows)
    tasks = [(folder / name, start, rows[name]) for name, start in planned.items() if name not in done]
    for shard in _run(part, tasks, workers):
        done[shard.name] = shard
        _write_manifest(folder, [done[name] for name in planned if name in done])
        on_rows(shard.rows)
    _write_manifest(folder, [done[name] for name in planned])


def shard_name(number: int) -> str:
    return f"records-{number:05d}.parquet"


def read_manifest(folder: Path) -> list[Shard]:
    """The finished shards of a part; none where there is no manifest, or a broken one."""
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
        return [Shard(**json.loads(line)) for line in lines]
    except (FileNotFoundError, ValueError, TypeError):
        return []


def _write_manifest(folder: Path, shards: list[Shard]) -> None:
    atomic.write_text(folder / MANIFEST, "".join(json.dumps(asdict(shard)) + "\n" for shard in shards))


def _is_whole(folder: Path, shard: Shard, part: Part, rows: int) -> bool:
    if shard.version != part.version or shard.rows != rows:
        return False
    try:
        return hashlib.sha256((folder / shard.name).read_bytes()).hexdigest() == shard.sha256
    except OSError:
        return False


def _remove_others(folder: Path, planned: set[str]) -> None:
    """Clear what a larger build or a killed one left."""
    for path in folder.glob("records-*.parquet"):
        if path.name not in planned:
            path.unlink()
    for name in (*planned, MANIFEST):
        atomic.clear_stale(folder / name)


def _run(part: Part, tasks: list[tuple[Path, int, int]], workers: int) -> Iterator[Shard]:
    if workers == 1 or len(tasks) < 2:
        yield from (_make(part, *task) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(part,)) as pool:
        yield from pool.map(_make_in_worker, tasks)


_part_of_worker: Part


def _start_worker(part: Part) -> None:
    global _part_of_worker
    _part_of_worker = part
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot end its workers: each watches for it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _make_in_worker(task: tuple[Path, int, int]) -> Shard:
    return _make(_part_of_worker, *task)


def _make(part: Part, path: Path, start: int, rows: int) -> Shard:
    digest = write_shard(path, (part.record(index) for index in range(start, start + rows)))
    return Shard(name=path.name, sha256=digest, rows=rows, version=part.version)


def summarise(folder: Path) -> dict[str, Any]:
    """Rows by part, style, licence and split, and the sources with their credits."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("part", "style", "licence", "split")}
    sources: Counter[tuple[str, str, str]] = Counter()
    for part in dict.fromkeys(shard.parent.name for shard in find_shards(folder)):
        for record in read_records(folder, ["style", "licence", "split", "source", "credit"], parts=[part]):
            counts["part"][part] += 1
            counts["style"][record.style or "none"] += 1
            counts["licence"][record.licence] += 1
            counts["split"][record.split] += 1
            sources.update(_sources(record))
    return {
        "rows": counts["part"].total(),
        **{f"rows_by_{name}": dict(sorted(counter.items())) for name, counter in counts.items()},
        "sources": [
            {"source": source, "licence": licence, "credit": credit, "rows": rows}
            for (source, licence, credit), rows in sorted(sources.items())
        ],
    }


def _sources(record: Record) -> list[tuple[str, str, str]]:
    """Source, licence and credit of each thing in a picture; as they stand where there are not as many of each.

    Rendered scenes join theirs; what a user says of pictures may have an " AND " of its own.
    """
    source, licence, credit = record.source, record.licence, record.credit
    apart = (source.split(" + "), licence.split(" AND "), credit.split(" + "))
    return list(zip(*apart, strict=True)) if len({len(one) for one in apart}) == 1 else [(source, licence, credit)]
