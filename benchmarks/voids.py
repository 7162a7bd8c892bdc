"""Concepts that were removed from a corpus: does `mezzotint curate voids` list these, and only these?

    python -m benchmarks.voids --corpus CORPUS --work FOLDER [--write docs/vectors.md]

The reference is sprites of everyday concepts as they are; the corpus, the same at other places, sizes and grounds but
for twelve concepts, other ones in each draw. The command sees pictures only, and what it lists is scored as it stands.
Three minutes on two cores; --work keeps what is embedded, so a killed run goes on.
"""

import argparse
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks.pages import write_section
from benchmarks.poisoned_corpus import STYLES, everyday
from benchmarks.timing import machine
from PIL import Image

from mezzotint.cli.main import main as mezzotint
from mezzotint.data.picture_batches import Framing
from mezzotint.data.record_pictures import decode
from mezzotint.data.records import Record, read_records, write_shard

REMOVED = 12
FRAMING = Framing(size=128, scales=(0.6, 1.0), colours=0.6)
TITLE = "Missing concepts"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--corpus", type=Path, required=True, help="what mezzotint corpus build made")
    options.add_argument("--pictures", default="efficientnet-lite0", help="by what they are embedded")
    options.add_argument("--concepts", type=int, default=150)
    options.add_argument("--draws", type=int, default=4)
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    codes = set(np.random.default_rng(0).choice(everyday(), args.concepts, replace=False).tolist())
    sprites = [
        record
        for record in read_records(args.corpus, parts=["sprites"])
        if record.concept in codes and record.style in STYLES
    ]
    work = args.work / f"of-{args.concepts}"
    embed(work / "reference", sprites, args.pictures)
    concepts = sorted({str(record.concept) for record in sprites})
    lines = [
        f"{len(concepts)} concepts in {len(sprites)} pictures, {REMOVED} removed; by {Path(args.pictures).name}.",
        "",
        "| draw | listed | of them removed: precision | of the removed: recall |",
        "| --- | --- | --- | --- |",
    ]
    for draw in range(args.draws):
        removed = set(np.random.default_rng(draw).choice(concepts, REMOVED, replace=False).tolist())
        listed = missing(args.corpus, work, args.pictures, draw, [s for s in sprites if s.concept not in removed])
        right = len(listed & removed)
        lines.append(f"| {draw} | {len(listed)} | {right / max(len(listed), 1):.2f} | {right / REMOVED:.2f} |")
    print("\n".join(lines))
    if args.write is not None:
        write_section(args.write, TITLE, [f"{machine()}.", "", *lines])


def missing(corpus: Path, work: Path, embedder: str, draw: int, sprites: Sequence[Record]) -> set[str]:
    """The concepts that the command lists."""
    rng = np.random.default_rng(draw)
    placed = (
        replace(one, picture=png(FRAMING.draw(decode(one, corpus), rng)), width=128, height=128) for one in sprites
    )
    vectors = embed(work / f"thinned-{draw}", placed, embedder)
    plan = work / f"plan-{draw}.jsonl"
    run(["curate", "voids", str(vectors), "--reference", str(work / "reference-vectors"), "--out", str(plan)])
    return {json.loads(line)["concept"] for line in plan.read_text().splitlines()}


def embed(corpus: Path, records: Iterable[Record], embedder: str) -> Path:
    """The records as a corpus and its vectors, made once; returns the vectors' folder."""
    if not corpus.is_dir():
        write_shard(corpus / "sprites" / "records-00000.parquet", list(records))
    vectors = corpus.with_name(f"{corpus.name}-vectors")
    run(["curate", "embed", str(corpus), "--out", str(vectors), "--pictures", embedder])
    return vectors


def png(picture: Image.Image) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, "PNG")
    return sink.getvalue()


def run(arguments: Sequence[str]) -> None:
    """A command of this program, as its user would give it."""
    if mezzotint(arguments):
        raise SystemExit(f"mezzotint {' '.join(arguments)} failed")


if __name__ == "__main__":
    main()
