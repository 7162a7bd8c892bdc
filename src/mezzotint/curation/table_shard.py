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
    """Some columns of the rows that an earlier pass kept."""

    path: Path
    columns: tuple[str, ...]

    @cached_property
    def rows(self) -> int:
        return tables.count_rows(self.path)

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def schema(self) -> pa.Schema:
        schema = tables.read_schema(self.path)
        return pa.schema([schema.field(name) for name in self.columns])

    def read(self) -> Iterator[Outcome]:
        for batch in tables.batches(self.path, (*self.columns, "dropped_by")):
            kept = batch.filter(batch.column("dropped_by").is_null()).select(list(self.columns))
            yield Outcome(kept, [None] * kept.num_rows)
