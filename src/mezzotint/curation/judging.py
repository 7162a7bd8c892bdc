"""What networks say of a corpus' pictures, where a user asks for it: each judge is a pass of its own.

So one judge more, or other limits, has nothing judged again that was judged before.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from mezzotint.curation import copies
from mezzotint.curation.profiling.decoding import Picture, decode
from mezzotint.curation.profiling.stage import Profile
from mezzotint.curation.stage import CPU, ROW, VERDICT, Outcome, Resources
from mezzotint.curation.thresholds import Between, Formats, Languages
from mezzotint.data.parquet import pa
from mezzotint.data.records import Caption
from mezzotint.errors import FileFormatError, InputError

_AT_ONCE = 8  # pictures that a judge is shown together
_GPU = Resources(gpus=1)
# What a table has without judges, and who else is named in a report.
_TAKEN = {
    *(field.name for field in (*ROW, *VERDICT, *Profile().writes)),
    *("of", "read", Profile().name, Formats().name, Languages().name, copies.NAME),
}


@runtime_checkable
class Judge(Protocol):
    """It travels to other processes, so it must be picklable; its network is loaded at the first call."""

    @property
    def name(self) -> str:
        """Of its pass, and of the option that asks for it."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same pictures might be judged otherwise."""
        ...

    @property
    def device(self) -> str | None:
        """Where its network runs; the best there is when None."""
        ...

    @property
    def limits(self) -> tuple[Between, ...]:
        """One for each of its measures, with the bounds that are set where a user sets none."""
        ...

    @property
    def others(self) -> tuple[pa.Field, ...]:
        """Columns that are no measures."""
        ...

    def __call__(self, pictures: Sequence[Picture], captions: Sequence[Sequence[Caption]]) -> list[dict[str, Any]]:
        """The columns of each picture; what is missing or None could not be said."""
        ...


@dataclass(frozen=True, kw_only=True)
class Judging:
    """The stage: a column for all that a judge says of a picture, at about 512 pixels."""

    judge: Judge
    threads: int
    reads: tuple[str, ...] = ("picture", "captions")

    @property
    def name(self) -> str:
        return self.judge.name

    @property
    def version(self) -> str:
        return self.judge.version

    @property
    def resources(self) -> Resources:
        return CPU if self.judge.device == "cpu" else _GPU

    @property
    def writes(self) -> tuple[pa.Field, ...]:
        return columns(self.judge)

    def __call__(self, batch: pa.RecordBatch) -> Outcome:
        import torch  # seconds, which a run without a judge need not wait

        torch.set_num_threads(self.threads)
        said: list[dict[str, Any]] = [{} for _ in range(batch.num_rows)]
        reasons: list[str | None] = [None] * batch.num_rows
        for group in _groups(_readable(batch, reasons)):
            answers = self.judge([picture for _, picture, _ in group], [captions for _, _, captions in group])
            for (place, _, _), answer in zip(group, answers, strict=True):
                said[place] = answer
        for field in self.writes:
            batch = batch.append_column(field, pa.array([row.get(field.name) for row in said], field.type))
        return Outcome(batch, reasons)


def columns(judge: Judge) -> tuple[pa.Field, ...]:
    """Everything that it says."""
    return (*(pa.field(limit.measure, pa.float64()) for limit in judge.limits), *judge.others)


def check_columns(judges: Sequence[Judge], heads: Sequence[str] = ()) -> None:
    """Raises InputError where a judge's column, or a head of such a name, would be another's."""
    names = Counter([*_TAKEN, *heads, *(field.name for judge in judges for field in columns(judge))])
    if twice := sorted(name for name, count in names.items() if count > 1):
        raise InputError(f"two columns are called {twice[0]!r}: train the head under another --name")


_Shown = tuple[int, Picture, list[Caption]]


def _readable(batch: pa.RecordBatch, reasons: list[str | None]) -> Iterator[_Shown]:
    """Row by row, so that few decoded pictures are held at once; why others cannot be read is noted."""
    for place, captions in enumerate(batch.column("captions").to_pylist()):
        try:
            picture = decode(batch.column("picture")[place].as_py())
        except FileFormatError as error:
            reasons[place] = str(error)
        else:
            yield place, picture, [Caption(**caption) for caption in captions]


def _groups(shown: Iterator[_Shown]) -> Iterator[list[_Shown]]:
    while group := list(islice(shown, _AT_ONCE)):
        yield group
