"""What each stage saw and dropped and why, how the measures lie, and examples to look at."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from mezzotint.curation.duplicates import ORDER
from mezzotint.curation.profiling.stage import ALL_MEASURES
from mezzotint.curation.thresholds import Between

COLUMNS = ("id", "preview", "captions")
EXAMPLES, BINS = 24, 40
_BORDER = 0.25  # share of a limit within which a kept picture is a border case
_QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


@dataclass(frozen=True, kw_only=True)
class Example:
    """A picture to look at: its name, what is said below it, and a small JPEG where it could be read."""

    id: str
    note: str
    preview: bytes | None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One stage: how many pictures it saw, how many it dropped by reason, and examples of those."""

    name: str
    limit: str
    seen: int
    dropped: Mapping[str, int]
    examples: Sequence[Example]
    border: Sequence[Example]  # pictures that were kept, nearest to the limit

    @property
    def kept(self) -> int:
        return self.seen - sum(self.dropped.values())


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A measure of all pictures that have it."""

    name: str
    limit: Between
    kept: Float[ndarray, "bins"]
    dropped: Float[ndarray, "bins"]
    edges: Float[ndarray, "bins+1"]  # the outermost 1 % fall into the first and last bin
    quantiles: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """Everything that a report says."""

    pictures: int
    kept: int
    languages: Mapping[str, int]  # captions of pictures that could be read
    steps: Sequence[Step]
    measures: Sequence[Measured]

    def to_json(self) -> dict[str, Any]:
        return {
            "pictures": self.pictures,
            "kept": self.kept,
            "caption_languages": dict(self.languages),
            "stages": [
                {"name": s.name, "limit": s.limit, "seen": s.seen, "kept": s.kept, "dropped": dict(s.dropped)}
                for s in self.steps
            ],
            "measures": {
                m.name: {
                    "limit": str(m.limit),
                    "quantiles": m.quantiles,
                    "histogram": {"edges": list(m.edges), "kept": list(m.kept), "dropped": list(m.dropped)},
                }
                for m in self.measures
            },
            "of_copies_stays": ORDER,
        }


def build_funnel(
    rows: Iterable[Mapping[str, Any]],
    limits: Sequence[Between],
    stages: Sequence[str],
    measures: Sequence[str] = ALL_MEASURES,
) -> Funnel:
    """Count, measure and choose examples; the same rows give the same funnel.

    Args:
        rows: COLUMNS, measures and verdicts of each picture.
    """
    by_measure = {limit.measure: limit for limit in limits}
    reasons: dict[str, Counter[str]] = {name: Counter() for name in stages}
    values: list[list[float]] = []
    kept: list[bool] = []
    pictures = 0
    languages: Counter[str] = Counter()
    dropped_examples = {name: _Smallest(EXAMPLES) for name in stages}
    border = {name: _Smallest(EXAMPLES // 2) for name in by_measure}
    for row in rows:
        pictures += 1
        if row["dropped_by"] is not None:
            reasons[row["dropped_by"]][row["reason"]] += 1
            dropped_examples[row["dropped_by"]].offer(_mixed(row["id"]), row, _note(row))
        if row["luma"] is None:
            continue
        languages.update(caption["language"] for caption in row["captions"])
        values.append([row[name] for name in measures])
        kept.append(row["dropped_by"] is None)
        if kept[-1]:
            for name, limit in by_measure.items():
                if row[name] is not None and 0 < (distance := _distance(limit, row[name])) <= _BORDER:
                    border[name].offer(distance, row, f"{row[name]:.4g}")
    steps, left = [], pictures
    for name in stages:
        of_limit = by_measure.get(name)
        steps.append(
            Step(
                name=name,
                limit=str(of_limit) if of_limit else "",
                seen=left,
                dropped=dict(sorted(reasons[name].items())),
                examples=dropped_examples[name].examples(),
                border=border[name].examples() if name in border else (),
            )
        )
        left -= reasons[name].total()
    columns = np.array(values, np.float64).reshape(-1, len(measures))
    there = ~np.isnan(columns)
    mask = np.array(kept, bool)
    measured = [
        _measured(by_measure.get(name, Between(measure=name)), columns[own, position], mask[own])
        for position, (name, own) in enumerate(zip(measures, there.T, strict=True))
        if own.any()
    ]
    return Funnel(
        pictures=pictures,
        kept=left,
        languages=dict(sorted(languages.items(), key=lambda one: (-one[1], one[0]))),
        steps=steps,
        measures=measured,
    )


def _measured(limit: Between, values: Float[ndarray, "n"], kept: Bool[ndarray, "n"]) -> Measured:
    low, high = np.quantile(values, (0.01, 0.99))
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
    edges = np.linspace(low, high, BINS + 1)
    clipped = values.clip(low, high)
    quantiles = dict(zip((f"{share:g}" for share in _QUANTILES), np.quantile(values, _QUANTILES).tolist(), strict=True))
    return Measured(
        name=limit.measure,
        limit=limit,
        edges=edges,
        kept=np.histogram(clipped[kept], edges)[0].astype(float),
        dropped=np.histogram(clipped[~kept], edges)[0].astype(float),
        quantiles=quantiles,
    )


def _note(row: Mapping[str, Any]) -> str:
    """Why a picture was dropped: the value that was too low or high, or the picture that stays instead."""
    value = row.get(row["dropped_by"])
    if value is not None:
        return f"{value:.4g}, {row['reason']}"
    return f"{row['reason']} of {row['of']}" if row["of"] else row["reason"]


def _distance(limit: Between, value: float) -> float:
    """How far a kept value is from the nearer limit, as a share of it; infinite where there is no limit."""
    distances = [abs(value - bound) / max(abs(bound), 1e-9) for bound in (limit.least, limit.most) if bound is not None]
    return min(distances, default=float("inf"))


def _mixed(identity: str) -> float:
    """A number that spreads examples evenly over an input, whatever its order, and is the same in every run."""
    return float(int.from_bytes(hashlib.sha256(identity.encode()).digest()[:6], "big"))


class _Smallest:
    """The few examples with the smallest keys, of however many are offered."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, Example]] = []
        self._offered = 0

    def offer(self, key: float, row: Mapping[str, Any], note: str) -> None:
        self._offered += 1
        item = (-key, -self._offered, Example(id=row["id"], note=note, preview=row["preview"]))
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)

    def examples(self) -> list[Example]:
        ordered: Iterable[tuple[float, int, Example]] = sorted(self._heap, key=lambda item: item[:2], reverse=True)
        return [example for _, _, example in ordered]
