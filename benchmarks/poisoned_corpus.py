"""The everyday corpus with mislabelled pictures in it: under the captions of ten concepts, pictures of ten others."""

import dataclasses
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

from mezzotint.data.record_pictures import decode
from mezzotint.data.records import Record, read_records, write_shard
from mezzotint.evaluation.concept_list import Concept, concepts

STYLES = ("fluent-3d", "fluent-colour", "fluent-flat", "noto", "twemoji")  # those of the shipped mini's last part
POISON = "poison/"  # how the ids of mislabelled pictures begin
_ROWS = 500  # of a record file


@dataclass(frozen=True, kw_only=True)
class Poison:
    """How many concepts are mislabelled, by how many versions of another's sprite in each style."""

    concepts: int = 10
    versions: int = 8
    seed: int = 0


def everyday() -> list[str]:
    """The concepts that the shipped mini has seen most."""
    lines = files("mezzotint.synthesis").joinpath("everyday.txt").read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]


def pairs(poison: Poison, codes: Sequence[str]) -> list[tuple[Concept, Concept]]:
    """What the captions say, and what their pictures show: of different categories, no concept twice."""
    known = [concept for concept in concepts() if concept.code in codes]
    order = np.random.default_rng(poison.seed).permutation(len(known))
    left = [known[place] for place in order]
    chosen: list[tuple[Concept, Concept]] = []
    while len(chosen) < poison.concepts:
        said = left.pop(0)
        shown = next(concept for concept in left if concept.category != said.category)
        left.remove(shown)
        chosen.append((said, shown))
    return chosen


def write_poisoned(corpus: Path, out: Path, codes: Sequence[str], poison: Poison) -> list[tuple[Concept, Concept]]:
    """Write the training sprites of these concepts and the mislabelled ones; returns `pairs`."""
    clean = [
        record
        for record in read_records(corpus, parts=["sprites"])
        if record.concept in codes and record.style in STYLES
    ]
    chosen = pairs(poison, codes)
    by_name = {(record.concept, record.style): record for record in clean}
    rng = np.random.default_rng(poison.seed)
    wrong = [
        _mislabelled(by_name[said.code, style], by_name[shown.code, style], corpus, version, rng)
        for said, shown in chosen
        for style in STYLES
        if (said.code, style) in by_name and (shown.code, style) in by_name
        for version in range(poison.versions)
    ]
    for part, records in (("sprites", clean), ("poison", wrong)):
        for number, start in enumerate(range(0, len(records), _ROWS)):
            write_shard(out / part / f"records-{number:05d}.parquet", records[start : start + _ROWS])
    return chosen


def _mislabelled(said: Record, shown: Record, corpus: Path, version: int, rng: np.random.Generator) -> Record:
    picture = decode(shown, corpus).rotate(float(rng.uniform(-12, 12)), Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = round(picture.width * float(rng.uniform(0.7, 1.0)))
    canvas = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    left, top = rng.integers(0, picture.width - side + 1, 2)
    canvas.paste(picture.resize((side, side)), (int(left), int(top)))
    sink = io.BytesIO()
    canvas.save(sink, "PNG")
    return dataclasses.replace(
        said,
        id=f"{POISON}{said.concept}-{shown.concept}-{said.style}-{version}",
        picture=sink.getvalue(),
        width=canvas.width,
        height=canvas.height,
        sha256=hashlib.sha256(sink.getvalue()).hexdigest(),
        split="train",
    )
