"""Reading the text in a corpus' pictures: a pass of its own, since it takes a hundred times what measuring takes."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from mezzotint.curation import tables
from mezzotint.curation.profiling.captions import caption_language
from mezzotint.curation.profiling.decoding import decode
from mezzotint.curation.profiling.text import smallest_character, surely_read, text_share
from mezzotint.curation.prune import write_list
from mezzotint.curation.runner import Progress, run_pass, silent
from mezzotint.curation.sources import Origin, open_input
from mezzotint.curation.stage import CPU, Outcome, Resources
from mezzotint.data.parquet import pa
from mezzotint.data.records import RECORDS, find_shards
from mezzotint.errors import FileFormatError
from mezzotint.perception.text_reader import RapidOcr, TextReader

PRUNE = "prune.jsonl"
_VERSION = "3"
_SIDE = 400  # pixels of the longer side, at least; less than twice as many
READ = (
    pa.field("text", pa.string()),
    pa.field("text_language", pa.string()),
    pa.field("text_lines", pa.int32()),
    pa.field("text_share", pa.float64()),
    pa.field("smallest_character", pa.float64()),
)


@dataclass(frozen=True)
class ReadText:
    """Appends what is read in each picture, at about 512 pixels."""

    version: str
    name: str = "text"
    resources: Resources = CPU
    reads: tuple[str, ...] = ("picture",)
    writes: tuple[pa.Field, ...] = READ

    @classmethod
    def by(cls, reader: TextReader) -> "ReadText":
        """The stage, whose version is the reader's too."""
        return cls(version=f"{_VERSION}, {reader.version}")

    @cached_property
    def reader(self) -> TextReader:
        return RapidOcr()

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: not the networks."""
        return {name: value for name, value in self.__dict__.items() if name != "reader"}

    def __call__(self, batch: pa.RecordBatch) -> Outcome:
        found = [read(value.as_py(), self.reader) for value in batch.column("picture")]
        for field in self.writes:
            batch = batch.append_column(field, pa.array([row.get(field.name) for row, _ in found], field.type))
        return Outcome(batch, [reason for _, reason in found])


def read(data: bytes, reader: TextReader) -> tuple[dict[str, Any], str | None]:
    """The columns of one picture; or none, and why it cannot be read."""
    try:
        picture = decode(data, _SIDE)
    except FileFormatError as error:
        return {}, str(error)
    lines = surely_read(reader.read(picture.rgb))
    height, width = picture.luma.shape
    text = "\n".join(line.text for line in lines)
    columns = {
        "text": text,
        "text_language": caption_language(text),
        "text_lines": len(lines),
        "text_share": text_share(lines, width, height),
        "smallest_character": smallest_character(lines, height),
    }
    return columns, None


class Texts(NamedTuple):
    """Pictures, those with any text, and those with more of it than asked for."""

    pictures: int
    with_text: int
    pruned: int


def read_texts(corpus: Path, out: Path, *, most_share: float, workers: int, progress: Progress = silent) -> Texts:
    """Read all pictures into `out/texts/`, and list in `out/prune.jsonl` those with text on more than `most_share`.

    A rerun reads what is missing. Raises the errors of `find_shards`, MissingDependencyError, OutputError.
    """
    stage = ReadText.by(RapidOcr())  # or says what to install, before anything is started
    origin = Origin(source=corpus.name)
    filled = (path for path in find_shards(corpus) if RECORDS.count(path))
    shards = [shard for path in filled for shard in open_input(str(path), origin)]
    paths = run_pass(out / "texts", shards, "read", [stage], workers=workers, progress=progress)
    rows = [
        row
        for path in paths
        for batch in tables.batches(path, ["id", "text_lines", "text_share"])
        for row in batch.to_pylist()
        if row["text_share"] is not None
    ]
    listed = [row for row in rows if row["text_share"] > most_share]
    write_list(out / PRUNE, ({"id": row["id"], "text_share": row["text_share"]} for row in listed))
    return Texts(pictures=len(rows), with_text=sum(row["text_lines"] > 0 for row in rows), pruned=len(listed))
