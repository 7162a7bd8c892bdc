"""The tables of one pass as the input of the next."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mezzotint.curation import tables
from mezzotint.curation.stage import Outcome
from mezzotint.data.parquet import pa


@dataclass(frozen=True)
class TableShard:
    """Some columns of the rows that an earlier pass kept, and of what passes beside it say of the same rows."""

    path: Path
    columns: tuple[str, ...]
    beside: tuple[Path, ...] = ()

    @cached_property
    def rows(self) -> int:
        return tables.count_rows(self.path)

    @cached_property
    def digest(self) -> str:
        whole = hashlib.sha256()
        for path in self._paths:
            whole.update(path.read_bytes())
        return whole.hexdigest()

    @property
    def schema(self) -> pa.Schema:
        fields = {field.name: field for path in reversed(self._paths) for field in tables.read_schema(path)}
        return pa.schema([fields[name] for name in self.columns])

    def read(self) -> Iterator[Outcome]:
        for batch in tables.joined(self._paths, (*self.columns, "dropped_by")):
            kept = batch.filter(batch.column("dropped_by").is_null()).select(list(self.columns))
            yield Outcome(kept, [None] * kept.num_rows)

    @property
    def _paths(self) -> tuple[Path, ...]:
        return (self.path, *self.beside)
