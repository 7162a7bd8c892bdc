"""Figures, tables of them, and a report in JSON and Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from mezzotint.evaluation import intervals
from mezzotint.evaluation.intervals import Interval

Unit = Literal["%", "dB", ""]


@dataclass(frozen=True, kw_only=True, eq=False)
class Figure:
    """One measured number, and what two models are paired by: the items that it is the mean of (`scores`), or its
    values on resampled items (`replicates`).
    """

    value: float  # a share, where the unit is "%"
    interval: Interval
    count: int
    unit: Unit
    scores: Float[np.ndarray, "n"] | None = field(default=None, repr=False)
    replicates: Float[np.ndarray, "times"] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        value, low, high = (_written(number, self.unit) for number in (self.value, *self.interval))
        return f"{value}{f' {self.unit}' if self.unit else ''} [{low}, {high}]"


def share(hits: Bool[np.ndarray, "n"]) -> Figure:
    """The share of items that hit, with Wilson's interval."""
    interval = intervals.wilson(int(hits.sum()), len(hits))
    return Figure(value=float(hits.mean()), interval=interval, count=len(hits), unit="%", scores=hits.astype(float))


def share_of_each(hits: Bool[np.ndarray, "times n"]) -> Figure:
    """The share of n items that were asked for several times each. The interval is Wilson's for n, as if an item's
    answers were all alike: they are not independent.
    """
    scores = hits.mean(0)
    interval = intervals.wilson(float(scores.sum()), len(scores))
    return Figure(value=float(scores.mean()), interval=interval, count=len(scores), unit="%", scores=scores)


def mean(scores: Float[np.ndarray, "n"], unit: Unit) -> Figure:
    """The mean of the items' scores, with the bootstrap's interval."""
    scores = np.asarray(scores, float)
    interval = intervals.of_mean(scores)
    return Figure(value=float(scores.mean()), interval=interval, count=len(scores), unit=unit, scores=scores)


def statistic(value: float, replicates: Float[np.ndarray, "times"], count: int) -> Figure:
    """Anything else of `count` items, with its values on resampled ones."""
    interval = intervals.of_replicates(value, replicates)
    return Figure(value=value, interval=interval, count=count, unit="", replicates=replicates)


def constant(value: float, count: int) -> Figure:
    """A share that is known and not measured, such as chance over `count` items."""
    return Figure(value=value, interval=Interval(value, value), count=count, unit="%")


def difference(one: Figure, other: Figure) -> Figure:
    """`one` − `other`, paired by their items or resamples, with the paired bootstrap's interval."""
    if one.scores is not None and other.scores is not None:
        return mean(one.scores - other.scores, one.unit)
    assert one.replicates is not None
    assert other.replicates is not None
    return statistic(one.value - other.value, one.replicates - other.replicates, one.count)


@dataclass(frozen=True, kw_only=True)
class Row:
    """`reference`: it is measured on other things than the model's output, to say what the figures can mean."""

    name: str
    figures: Mapping[str, Figure]
    reference: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Figures of one question; every row has the same columns, or fewer. The note says what they mean."""

    suite: str
    title: str
    note: str
    rows: tuple[Row, ...]

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row.figures))


def compare(ours: Sequence[Table], theirs: Sequence[Table]) -> list[Table]:
    """Of two models' tables on the same items: the paired differences of all their own figures."""
    return [_differences(one, other) for one, other in zip(ours, theirs, strict=True)]


def _differences(one: Table, other: Table) -> Table:
    rows = []
    for row, its in zip(one.rows, other.rows, strict=True):
        if not row.reference:
            figures = {name: difference(figure, its.figures[name]) for name, figure in row.figures.items()}
            rows.append(Row(name=row.name, figures=figures))
    note = "The first model minus the second, item by item."
    return Table(suite=one.suite, title=f"{one.title}: difference", note=note, rows=tuple(rows))


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that one run of the suites found. `conditions` says on what: models, corpus, seed, versions, times."""

    conditions: Mapping[str, Any]
    tables: Mapping[str, Sequence[Table]]  # by the model's name, or "A − B"

    def to_json(self) -> dict[str, Any]:
        results = {name: [_table_json(table) for table in tables] for name, tables in self.tables.items()}
        return {"conditions": self.conditions, "results": results}

    def to_markdown(self) -> str:
        lines = ["# Evaluation", "", *_conditions(self.conditions)]
        for name, tables in self.tables.items():
            lines += ["", f"## {name}", ""]
            for table in tables:
                lines += [f"### {table.title}", "", table.note, "", *markdown(table), ""]
        return "\n".join(lines).rstrip() + "\n"


def tables_of(content: Mapping[str, Any], model: str) -> list[Table]:
    """One model's tables from a report's JSON, without what pairs two models."""
    return [_table(table) for table in content["results"][model]]


def _table(content: Mapping[str, Any]) -> Table:
    rows = tuple(
        Row(
            name=row["name"],
            reference=row["reference"],
            figures={name: _figure(figure) for name, figure in row["figures"].items()},
        )
        for row in content["rows"]
    )
    return Table(suite=content["suite"], title=content["title"], note=content["note"], rows=rows)


def _figure(content: Mapping[str, Any]) -> Figure:
    interval = Interval(content["low"], content["high"])
    return Figure(value=content["value"], interval=interval, count=content["count"], unit=content["unit"])


def markdown(table: Table) -> list[str]:
    """The table's lines; reference rows in italics."""
    columns = table.columns
    lines = [_line(["", "items", *columns]), _line(["---", *["---:"] * (len(columns) + 1)])]
    for row in table.rows:
        name = f"*{row.name}*" if row.reference else row.name
        counts = sorted({figure.count for figure in row.figures.values()})
        cells = [str(row.figures[column]) if column in row.figures else "" for column in columns]
        lines.append(_line([name, "–".join(map(str, counts)), *cells]))
    return lines


def plain(table: Table) -> list[str]:
    """The table's lines for a terminal."""
    width = max(len(row.name) for row in table.rows)
    lines = [f"{table.suite}: {table.title}"]
    for row in table.rows:
        cells = "   ".join(f"{name} {figure}" for name, figure in row.figures.items())
        lines.append(f"  {row.name:<{width}}  {cells}")
    return lines


def _conditions(conditions: Mapping[str, Any]) -> Iterable[str]:
    for name, value in conditions.items():
        if name == "models":
            for model, found in value.items():
                yield f"- {model}: {found['digest']}; {asked(found)}; {duration(found['seconds'])}"
        else:
            yield f"- {name.replace('_', ' ')}: {value}"


def asked(model: Mapping[str, Any]) -> str:
    """How it was asked for its pictures."""
    return f"{model['steps']} steps, guidance {model['guidance']:g}, {model['dtype']}"


def duration(seconds: Mapping[str, float]) -> str:
    """What each suite took, and all of them."""
    parts = ", ".join(f"{suite} {spent:.0f}" for suite, spent in seconds.items())
    return f"seconds: {parts}, together {sum(seconds.values()):.0f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table_json(table: Table) -> dict[str, Any]:
    rows = [
        {
            "name": row.name,
            "reference": row.reference,
            "figures": {name: _figure_json(figure) for name, figure in row.figures.items()},
        }
        for row in table.rows
    ]
    return {"suite": table.suite, "title": table.title, "note": table.note, "rows": rows}


def _figure_json(figure: Figure) -> dict[str, Any]:
    numbers = {"value": figure.value, "low": figure.interval.low, "high": figure.interval.high}
    return {**numbers, "unit": figure.unit, "count": figure.count}


def _written(number: float, unit: Unit) -> str:
    if unit == "%":
        return f"{100 * number:.1f}"
    return f"{number:.2f}" if unit == "dB" or abs(number) >= 10 else f"{number:.3f}"
