"""From encoded pictures to rows of a batch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mezzotint.curation.profiling.captions import caption_language
from mezzotint.curation.stage import ROW, Outcome
from mezzotint.data.parquet import pa
from mezzotint.synthesis.splits import split_of

MAX_FILE_BYTES = 1 << 26  # 64 MiB; a larger file is not read
_BATCH_BYTES, _BATCH_ROWS = 1 << 25, 64  # what one batch holds at most, save a single larger picture


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What is said of every picture of an input, where the input itself does not say it."""

    source: str
    licence: str = "NOASSERTION"  # SPDX for: nothing is known
    credit: str = ""


@dataclass(frozen=True)
class Found:
    """One row on its way into a batch: its fields, or those that are known and the reason why it cannot be read."""

    fields: dict[str, Any]
    reason: str | None = None


def blank(identity: str, origin: Origin) -> dict[str, Any]:
    """A record's fields before anything is known about the picture but its name, which decides the split."""
    return {
        "id": identity,
        "width": 0,
        "height": 0,
        "sha256": "",
        "kind": "picture",
        "source": origin.source,
        "licence": origin.licence,
        "credit": origin.credit,
        "captions": [],
        "measures": [],
        "split": split_of(identity),
    }


def captions(text: str | None) -> list[dict[str, str]]:
    """The alt text that came with a picture, in the language that it seems to be in."""
    text = (text or "").strip()
    return [{"kind": "alt", "language": caption_language(text), "text": text}] if text else []


def batches(found: Iterable[Found]) -> Iterator[Outcome]:
    """Rows in batches of bounded size, numbered from 0."""
    waiting: list[Found] = []
    size = number = 0
    for one in found:
        bytes_of_one = len(one.fields.get("picture") or b"")
        if waiting and (len(waiting) == _BATCH_ROWS or size + bytes_of_one > _BATCH_BYTES):
            yield _batch(waiting)
            waiting, size = [], 0
        one.fields["number"] = number
        waiting.append(one)
        size, number = size + bytes_of_one, number + 1
    if waiting:
        yield _batch(waiting)


def _batch(found: list[Found]) -> Outcome:
    rows = pa.RecordBatch.from_pylist([one.fields for one in found], schema=ROW)
    return Outcome(rows, [one.reason for one in found])
