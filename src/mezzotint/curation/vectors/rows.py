"""Which picture each vector is of, and what dedup, retrieval, diagnosis and voids want to know of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mezzotint.data.parquet import Format, pa
from mezzotint.data.records import Record
from mezzotint.errors import InputError, MissingFileError

# Of several captions the plainest: what shows something says it in few words.
_PLAIN = ("short", "name", "alt", "medium")

ROWS = Format(
    "vector-rows",
    1,
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("concept", pa.string()),
        pa.field("caption", pa.string(), nullable=False),
        pa.field("measures", pa.map_(pa.string(), pa.float64()), nullable=False),
    ],
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture: see `records.Record`. `caption` is the one that was embedded, or would have been."""

    id: str
    width: int
    height: int
    concept: str | None
    caption: str
    measures: dict[str, float]


def row_of(record: Record, language: str) -> dict[str, Any]:
    """A row of `ROWS`."""
    return {
        "id": record.id,
        "width": record.width,
        "height": record.height,
        "concept": record.concept,
        "caption": caption_of(record, language),
        "measures": sorted(record.measures.items()),
    }


def caption_of(record: Record, language: str) -> str:
    """The plainest caption in the language, or else in any; "" where there is none."""
    captions = [caption for caption in record.captions if caption.language == language] or list(record.captions)
    by_kind = {caption.kind: caption.text for caption in reversed(captions)}
    return next((by_kind[kind] for kind in _PLAIN if kind in by_kind), captions[0].text if captions else "")


def read_rows(folder: Path) -> list[Row]:
    """All rows of embedded pictures, in the order of the vectors.

    Raises MissingFileError for a folder without any, FileFormatError for a broken file.
    """
    paths = sorted(folder.glob("rows-*.parquet"))
    if not paths:
        raise MissingFileError(f"{folder} holds no embedded pictures: make it with mezzotint curate embed")
    return [Row(**row | {"measures": dict(row["measures"])}) for path in paths for row in _read(path)]


def _read(path: Path) -> Iterator[dict[str, Any]]:
    for batch in ROWS.read(path, ROWS.schema.names):
        yield from batch.to_pylist()


def best_first(rows: Sequence[Row], by: str) -> list[int]:
    """Positions of the rows, the one with the most of `by` first: "pixels", or the name of a measure, "-" before it
    for the least. Ties go by pixels, then by id.

    Raises InputError for a measure that some row has not.
    """
    name = by.removeprefix("-")
    if name != "pixels" and (missing := next((row.id for row in rows if name not in row.measures), None)) is not None:
        known = ", ".join(sorted(rows[0].measures)) or "none"
        raise InputError(f"picture {missing} has no measure {name!r}; the measures of this corpus: {known}")

    def key(position: int) -> tuple[float, int, str]:
        row = rows[position]
        pixels = row.width * row.height
        value = pixels if name == "pixels" else row.measures[name]
        return (value if by.startswith("-") else -value, -pixels, row.id)

    return sorted(range(len(rows)), key=key)
