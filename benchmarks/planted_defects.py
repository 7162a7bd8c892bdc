"""What the default funnel finds of defects whose truth is known; writes docs/curation.md.

    python -m benchmarks.planted_defects CORPUS [CORPUS ...] --work FOLDER [--each 200] [--write docs/curation.md]

The pictures of the corpora are curated together with planted ones: of each kind of defect `--each`, made of pictures
that no limit drops (`mezzotint.curation.planting`). A killed run goes on where it stopped.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.pages import write_marked
from benchmarks.timing import machine
from PIL import Image

from mezzotint.curation import tables
from mezzotint.curation.copies import NAME as DUPLICATES
from mezzotint.curation.curate import DEFAULT_RULES, curate
from mezzotint.curation.planting import NEAR_COPIES, TRUTH, on_white, plant
from mezzotint.curation.profiling.stage import ALL_MEASURES, profile
from mezzotint.curation.sources import Origin
from mezzotint.curation.thresholds import DEFAULTS, Between, with_changes
from mezzotint.data.records import find_shards, read_shard
from mezzotint.errors import InputError
from mezzotint.runtime.progress import progress

# By which measure each kind is to be found: at its default limit, or at one here where the default is none, since a
# sort of picture may be wanted elsewhere that it would drop.
MEASURE = {
    "blurred": "clarity",
    "noisy": "noise",
    "tinted": "colour_cast",
    "darkened": "luma",
    "blocky": "blockiness",
    "bordered": "border_variance",
    "qr code": "qr_codes",
    "bar code": "bar_codes",
    "watermarked": "watermark",
    "pixelated": "mosaic",
    "caption": "invalid_captions",
}
ALL_LIMITS = with_changes("luma=15..,border_variance=20..,watermark=..11,mosaic=..0.03,invalid_captions=..0")
LIMITS = {kind: next(one for one in ALL_LIMITS if one.measure == name) for kind, name in MEASURE.items()}
# What is known of pictures as found: a cut-out's border is plain, and a file's own name is no caption.
KNOWN: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "bordered": lambda row: row["transparent"] == 1,
    "caption": lambda row: any(
        _letters(one["text"]) == _letters(row["id"].rpartition("/")[2]) for one in row["captions"]
    ),
}
MOST = 1600  # pixels of the longer side of what defects are planted into
MARK = "planted defects"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    kind: str
    by: str
    planted: int
    found: int
    others: int  # pictures without a planted defect that were dropped likewise
    verified: int = 0  # of those, what is known to be rightly dropped

    def __str__(self) -> str:
        right = self.found + self.verified
        precision = right / max(right + self.others - self.verified, 1)
        recall = self.found / max(self.planted, 1)
        return f"| {self.kind} | {self.by} | {self.planted} | {recall:.3f} | {self.others} | {precision:.3f} |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("corpora", type=Path, nargs="+")
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--each", type=int, default=200)
    options.add_argument("--every", type=int, default=1, help="take every n-th shard only, to try it out")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    shards = [shard for corpus in args.corpora for shard in find_shards(corpus)][:: args.every]
    source = args.work / "pictures"
    gather(source / "found", shards)
    if not (source / "planted" / TRUTH).exists():
        pool = clean_pictures(shards, args.each * (len(NEAR_COPIES) + 1 + len(LIMITS)))
        plant(source / "planted", pool, each=args.each, seed=0)
    out = args.work / "curated"
    origin = Origin(source="planted")
    curate(str(source), out, origin=origin, rules=DEFAULT_RULES, workers=args.workers, progress=progress)
    text = report(Outcome.read(out, source / "planted" / TRUTH, shards))
    print(text)
    if args.write:
        write_marked(args.write, MARK, [text])


def gather(folder: Path, shards: Sequence[Path]) -> None:
    """Links to the shards, all in one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, shard in enumerate(shards):
        link = folder / f"{number:03d}.parquet"
        if link.resolve() != shard.resolve():
            link.unlink(missing_ok=True)
            link.symlink_to(shard.resolve())


def clean_pictures(shards: Sequence[Path], count: int) -> list[tuple[str, bytes]]:
    """Pictures that no default limit drops, by a draw that is the same every time."""
    ids = [record.id for shard in shards for record in read_shard(shard, ["id"])]
    drawn = set(np.random.default_rng(0).permutation(ids)[: 2 * count].tolist())
    found = []
    for shard in shards:
        for record in read_shard(shard, ["id", "picture"]):
            if record.id in drawn and _is_clean(record.picture or b""):
                found.append((record.id, record.picture or b""))
    if len(found) < count:
        raise InputError(f"{len(found)} pictures are clean, {count} are needed: plant fewer of each kind (--each)")
    return [found[place] for place in np.random.default_rng(1).permutation(len(found))[:count]]


def _is_clean(data: bytes) -> bool:
    measured, reason = profile(data)
    if reason or max(measured["width"], measured["height"]) > MOST:
        return False
    return not any(outside(measured[limit.measure], limit) for limit in DEFAULTS)


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def outside(value: float, limit: Between) -> bool:
    return (limit.least is not None and value < limit.least) or (limit.most is not None and value > limit.most)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of each picture. `kinds` and `origins`: of planted ones, by id."""

    rows: Mapping[str, Mapping[str, Any]]
    copies: Mapping[str, tuple[str, str]]  # from what was dropped to what stays, and the reason
    kinds: Mapping[str, str]
    origins: Mapping[str, str]
    alike: Mapping[str, bool]  # of copies among found pictures: whether their pixels say so too

    @classmethod
    def read(cls, out: Path, truth: Path, shards: Sequence[Path]) -> "Outcome":
        lines = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
        kinds = {f"planted/{line['id']}": line["kind"] for line in lines}
        origins = {f"planted/{line['id']}": line["of"] for line in lines}
        columns = ["id", "dropped_by", "captions", *ALL_MEASURES]
        rows = {
            row["id"]: row
            for path in sorted((out / "passes" / "profile").glob("*.parquet"))
            for batch in tables.batches(path, columns)
            for row in batch.to_pylist()
        }
        found = (row for batch in tables.batches(out / "passes" / f"{DUPLICATES}.parquet") for row in batch.to_pylist())
        copies = {row["id"]: (row["of"], row["reason"]) for row in found}
        natural = {one: of for one, (of, _) in copies.items() if one not in kinds and of not in kinds}
        return cls(rows=rows, copies=copies, kinds=kinds, origins=origins, alike=compare(natural, shards))


def compare(pairs: Mapping[str, str], shards: Sequence[Path]) -> dict[str, bool]:
    """Whether two pictures are the same indeed: drawings of one concept, or at 128x128 nearly all pixels alike."""
    wanted = {*pairs, *pairs.values()}
    found = {
        record.id: (record.concept, on_white(record.picture or b"").resize((128, 128), Image.Resampling.BOX))
        for shard in shards
        for record in read_shard(shard, ["id", "picture", "concept"])
        if record.id in wanted
    }
    return {one: _are_alike(*found[one], *found[of]) for one, of in pairs.items()}


def _are_alike(concept: str | None, one: Image.Image, other_concept: str | None, other: Image.Image) -> bool:
    if concept is not None and concept == other_concept:
        return True
    apart = np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max(axis=2)
    return bool((apart <= 32).mean() >= 0.99)


def report(outcome: Outcome) -> str:
    """The table and what it is of, in Markdown."""
    found = len(outcome.rows) - len(outcome.kinds)
    rows = [copies_row(outcome), unreadable_row(outcome)]
    rows += [measure_row(kind, limit, outcome) for kind, limit in LIMITS.items()]
    near = {one: kind for one, kind in outcome.kinds.items() if kind in NEAR_COPIES and reaches(one, outcome)}
    recalls = Counter(kind for one, kind in near.items() if is_caught(one, outcome))
    each = Counter(near.values())
    return "\n".join(
        [
            f"{found:,} pictures as found and {len(outcome.kinds):,} planted ones. {machine()}.",
            "",
            "| kind | found by | planted | recall | other pictures dropped by it | precision, at least |",
            "| --- | --- | --- | --- | --- | --- |",
            *map(str, rows),
            "",
            "Near copies by kind, recall: "
            + ", ".join(f"{kind} {recalls[kind] / max(each[kind], 1):.3f}" for kind in NEAR_COPIES)
            + ".",
        ]
    )


def copies_row(outcome: Outcome) -> Row:
    planted = [one for one, kind in outcome.kinds.items() if kind in NEAR_COPIES and reaches(one, outcome)]
    others = [one for one, (of, _) in outcome.copies.items() if one not in outcome.kinds and of not in outcome.kinds]
    wrong = [
        one
        for one, (of, _) in outcome.copies.items()
        if (one in outcome.kinds or of in outcome.kinds) and not is_pair(one, of, outcome)
    ]
    verified = sum(outcome.alike[one] or outcome.copies[one][1] == "an exact copy" for one in others)
    caught = sum(is_caught(one, outcome) for one in planted)
    return Row(
        kind="near copy",
        by="duplicates",
        planted=len(planted),
        found=caught,
        others=len(others) + len(wrong),
        verified=verified,
    )


def is_pair(one: str, other: str, outcome: Outcome) -> bool:
    """Whether both are made of the same picture, or of pictures that are copies themselves."""
    roots = {outcome.origins.get(name, name) for name in (one, other)}
    roots = {outcome.copies[name][0] if name in outcome.copies else name for name in roots}
    return len({outcome.origins.get(name, name) for name in roots}) == 1


def reaches(planted: str, outcome: Outcome) -> bool:
    """Whether neither a planted copy nor its original was dropped before copies were looked for."""
    rows = [outcome.rows[one] for one in (planted, outcome.origins[planted])]
    return not any(row["dropped_by"] or any(outside(row[limit.measure], limit) for limit in DEFAULTS) for row in rows)


def is_caught(planted: str, outcome: Outcome) -> bool:
    """Whether not both of a planted copy and its original stay, one for the other or for what is the same."""
    original = outcome.origins[planted]
    of = outcome.copies.get(planted, (None, ""))[0]
    caught = of is not None and is_pair(planted, of, outcome)
    return caught or outcome.copies.get(original, (None, ""))[0] == planted


def unreadable_row(outcome: Outcome) -> Row:
    dropped = [one for one, row in outcome.rows.items() if row["dropped_by"] is not None]
    planted = [one for one, kind in outcome.kinds.items() if kind == "truncated"]
    return Row(
        kind="truncated",
        by="profile",
        planted=len(planted),
        found=len(set(dropped) & set(planted)),
        others=sum(one not in outcome.kinds for one in dropped),
    )


def measure_row(kind: str, limit: Between, outcome: Outcome) -> Row:
    """By the measure alone, whichever stage came first; pictures with another planted defect do not count."""
    flagged = [
        one for one, row in outcome.rows.items() if row["dropped_by"] is None and outside(row[limit.measure], limit)
    ]
    planted = [one for one, planted_kind in outcome.kinds.items() if planted_kind == kind]
    others = [one for one in flagged if one not in outcome.kinds]
    known = KNOWN.get(kind, lambda row: False)
    return Row(
        kind=kind,
        by=f"{limit.measure} {limit}",
        planted=len(planted),
        found=len(set(flagged) & set(planted)),
        others=len(others),
        verified=sum(known(outcome.rows[one]) for one in others),
    )


if __name__ == "__main__":
    main()
