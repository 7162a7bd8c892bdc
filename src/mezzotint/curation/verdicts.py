"""What became of each picture in the end: the tables of all passes side by side."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mezzotint.curation import copies, tables
from mezzotint.data.parquet import pa


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """The tables of the profile, of the selection, of the copies that were dropped last, and of each judge."""

    profiles: Sequence[Path]
    selected: Sequence[Path]
    copies: pa.Table
    judged: Sequence[Sequence[Path]] = ()

    def rows(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Every picture: some of its columns, who dropped it (`dropped_by`, `reason`) and for which (`of`)."""
        for shard in range(len(self.profiles)):
            later = self._of_shard(shard)
            paths = [of_pass[shard] for of_pass in (self.profiles, *self.judged)]
            for batch in tables.joined(paths, ("number", "dropped_by", "reason", *columns)):
                for row in batch.to_pylist():
                    yield row | (later[row["number"]] if row["dropped_by"] is None else {"of": None})

    def kept(self, shard: int) -> frozenset[int]:
        """The numbers of a shard's rows that stay."""
        return frozenset(number for number, verdict in self._of_shard(shard).items() if verdict["dropped_by"] is None)

    @cached_property
    def _copies_by_shard(self) -> Mapping[int, list[dict[str, Any]]]:
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in self.copies.to_pylist():
            found[row["shard"]].append(row)
        return found

    def _of_shard(self, shard: int) -> Mapping[int, Mapping[str, Any]]:
        """The verdicts on what the profile could read, by the rows' numbers."""
        found = {
            row["number"]: {"dropped_by": row["dropped_by"], "reason": row["reason"], "of": None}
            for batch in tables.batches(self.selected[shard], ("number", "dropped_by", "reason"))
            for row in batch.to_pylist()
        }
        for row in self._copies_by_shard[shard]:
            found[row["number"]] = {"dropped_by": copies.NAME, "reason": row["reason"], "of": row["of"]}
        return found
