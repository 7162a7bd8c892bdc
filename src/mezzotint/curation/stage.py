"""The contract of a stage: a function from a batch of rows to the same rows with more columns, some of them dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from mezzotint.data.parquet import pa
from mezzotint.data.records import SCHEMA
from mezzotint.errors import InputError

NUMBER = pa.field("number", pa.int32())  # a row's place in its input shard
VERDICT = (pa.field("dropped_by", pa.string()), pa.field("reason", pa.string()))  # null: kept

# What a source gives: the columns of a record. What it does not know is null, or empty where a record must say it.
ROW = pa.schema([*(field.with_nullable(True) for field in SCHEMA), NUMBER])


class Outcome(NamedTuple):
    """What a stage made of a batch: the same rows in the same order, and of each the reason to drop it, or None."""

    rows: pa.RecordBatch
    reasons: Sequence[str | None]


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one instance of a stage wants: a hint. A GPU is given where there is one."""

    gpus: int = 0


CPU = Resources()


@runtime_checkable
class Stage(Protocol):
    """A stage travels to other processes, so it must be picklable; what is heavy is loaded at the first call.

    It may replace columns that are there and append those that it declares in `writes`. A row with a reason is seen by
    no later stage and stays in the table.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str:
        """Changes whenever the same rows would have another outcome."""
        ...

    @property
    def resources(self) -> Resources: ...
    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def writes(self) -> tuple[pa.Field, ...]: ...
    def __call__(self, batch: pa.RecordBatch) -> Outcome: ...


def table_schema(schema: pa.Schema, stages: Sequence[Stage]) -> pa.Schema:
    """What stands in a table after the stages. Raises InputError when a stage reads what nothing writes."""
    for stage in stages:
        if missing := [name for name in stage.reads if name not in schema.names]:
            raise InputError(f"stage {stage.name!r} reads {missing[0]!r}, which no stage before it writes")
        schema = pa.schema([*schema, *(field for field in stage.writes if field.name not in schema.names)])
    return pa.schema([*(field for field in schema if field not in VERDICT), *VERDICT])


def apply(first: Outcome, origin: str, stages: Sequence[Stage], schema: pa.Schema) -> pa.Table:
    """The rows that `origin` gave, in their order, after the stages: each kept, or with who dropped it and why."""
    parts, outcome, by = [], first, origin
    for stage in stages:
        parts.append(_dropped(outcome, by, schema))
        outcome, by = _applied(stage, _kept(outcome)), stage.name
    parts += [_dropped(outcome, by, schema), _conformed(_kept(outcome), schema)]
    return pa.concat_tables(parts).sort_by("number")


def _applied(stage: Stage, rows: pa.RecordBatch) -> Outcome:
    return stage(rows) if rows.num_rows else Outcome(rows, ())


def _kept(outcome: Outcome) -> pa.RecordBatch:
    return outcome.rows.filter(pa.array([reason is None for reason in outcome.reasons], pa.bool_()))


def _dropped(outcome: Outcome, by: str, schema: pa.Schema) -> pa.Table:
    rows = outcome.rows.filter(pa.array([reason is not None for reason in outcome.reasons], pa.bool_()))
    reasons = [reason for reason in outcome.reasons if reason is not None]
    verdict = {"dropped_by": pa.array([by] * len(reasons), pa.string()), "reason": pa.array(reasons, pa.string())}
    return _conformed(rows, schema, verdict)


def _conformed(rows: pa.RecordBatch, schema: pa.Schema, verdict: Mapping[str, pa.Array] | None = None) -> pa.Table:
    """The rows with all columns of the schema, null where nothing wrote them. The picture stays in its source."""
    there = {name: rows.column(name) for name in rows.schema.names if name != "picture"} | dict(verdict or {})
    columns = [there.get(field.name, pa.nulls(rows.num_rows, field.type)) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)
