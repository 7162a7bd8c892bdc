"""Stages that drop by one measure each, and the limits that this project sets where nothing else is asked for.

The limits are ours: the reports that name such filters publish none. `mezzotint curate` shows each with what it drops.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mezzotint.curation.profiling.stage import ALL_MEASURES
from mezzotint.curation.stage import CPU, Outcome, Resources
from mezzotint.data.parquet import pa
from mezzotint.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Between:
    """Keeps pictures whose measure lies in [least, most], and those without it; None is no limit."""

    measure: str
    least: float | None = None
    most: float | None = None
    resources: Resources = CPU
    writes: tuple[pa.Field, ...] = ()

    def __str__(self) -> str:
        least, most = ("" if limit is None else f"{limit:g}" for limit in (self.least, self.most))
        return f"{least}..{most}"

    @property
    def name(self) -> str:
        return self.measure

    @property
    def version(self) -> str:
        return str(self)

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.measure,)

    def __call__(self, batch: pa.RecordBatch) -> Outcome:
        return Outcome(batch, [self._reason(value) for value in batch.column(self.measure).to_pylist()])

    def _reason(self, value: float | None) -> str | None:
        if value is None:
            return None
        if self.least is not None and value < self.least:
            return f"below {self.least:g}"
        if self.most is not None and value > self.most:
            return f"above {self.most:g}"
        return None


@dataclass(frozen=True)
class Formats:
    """Keeps the formats that the loader of training reads."""

    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP")
    name: str = "format"
    resources: Resources = CPU
    reads: tuple[str, ...] = ("format",)
    writes: tuple[pa.Field, ...] = ()

    @property
    def version(self) -> str:
        return ",".join(self.formats)

    def __call__(self, batch: pa.RecordBatch) -> Outcome:
        found = batch.column("format").to_pylist()
        return Outcome(batch, [None if name in self.formats else name for name in found])


@dataclass(frozen=True)
class Languages:
    """Keeps pictures with a caption in one of some languages, and those without a caption; all where none is named."""

    languages: tuple[str, ...] = ()
    name: str = "languages"
    resources: Resources = CPU
    reads: tuple[str, ...] = ("captions",)
    writes: tuple[pa.Field, ...] = ()

    @property
    def version(self) -> str:
        return ",".join(self.languages)

    def __call__(self, batch: pa.RecordBatch) -> Outcome:
        found = [{caption["language"] for caption in own} for own in batch.column("captions").to_pylist()]
        return Outcome(batch, [self._reason(own) for own in found])

    def _reason(self, found: set[str]) -> str | None:
        if not self.languages or not found or found & set(self.languages):
            return None
        return " and ".join(sorted(found))


DEFAULTS = (
    Between(measure="frames", most=1),
    Between(measure="short_side", least=256),
    Between(measure="aspect", most=4),
    Between(measure="compression_ratio", most=150),
    Between(measure="blockiness", most=1.4),
    Between(measure="transient_jpeg", least=0.02),
    Between(measure="entropy", least=0.5),
    Between(measure="border_variance"),  # no limit: a cut-out on white is no defect where cut-outs are wanted
    Between(measure="luma", least=15, most=250),
    Between(measure="saturation"),
    Between(measure="colour_cast", most=13),
    Between(measure="clarity", least=0.65),
    Between(measure="texture", least=0.02),
    Between(measure="noise", most=9),
    Between(measure="mosaic"),
    Between(measure="watermark"),
    Between(measure="qr_codes", most=0),
    Between(measure="bar_codes", most=0),
    Between(measure="invalid_captions"),
)


def with_changes(text: str, limits: Sequence[Between] = DEFAULTS) -> list[Between]:
    """The limits with some changed: `clarity=0.8..,luma=20..240,noise=..` (the last: no limit).

    Raises InputError for what is not of that form, or a measure that there is none of.
    """
    changed = {limit.measure: limit for limit in limits}
    for part in filter(None, (part.strip() for part in text.split(","))):
        measure, equals, bounds = part.partition("=")
        least, dots, most = bounds.partition("..")
        if not equals or not dots:
            raise InputError(
                f"limit {part!r} is not of the form measure=least..most, such as clarity=0.8.. or luma=20..240"
            )
        known = dict.fromkeys([*ALL_MEASURES, *changed])
        if measure not in known:
            raise InputError(f"there is no measure {measure!r}: measures are {', '.join(known)}")
        old = changed.get(measure, Between(measure=measure))
        changed[measure] = replace(old, least=_number(least, part), most=_number(most, part))
    return list(changed.values())


def _number(text: str, part: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError as error:
        raise InputError(f"limit {part!r}: {text!r} is not a number") from error
