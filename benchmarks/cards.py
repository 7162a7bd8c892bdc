"""The figures of a model's card and of docs/mini.md, written from reports and runs; nothing in them is typed.

    python -m benchmarks.cards mini --report reports/mini --corpus CORPUS … --encoded FOLDER … --run RUN …
        [--earlier CARD] [--page docs/mini.md] [--changed "what was done since the last row of the curve"]
    python -m benchmarks.cards mini-judge --corpus CORPUS --run RUN …

Before it: `mezzotint corpus build --out CORPUS` and, for the mini, `mezzotint evaluate mini --data CORPUS --out
reports/mini`. The judge is measured here. In the bundle's README.md, and on the page, what stands between
`<!-- measured: NAME -->` and `<!-- end of NAME -->` is replaced, and the page's picture with it.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from benchmarks.pages import marked, write_marked
from benchmarks.timing import machine
from PIL import Image

from mezzotint.data.records import read_records
from mezzotint.evaluation.answers import LANGUAGE_NAMES
from mezzotint.evaluation.examination import Resources
from mezzotint.evaluation.report import Table, asked, duration, markdown, share, tables_of
from mezzotint.evaluation.scenes import ASKED, SKILLS, held_out, judged
from mezzotint.models.bundle import EMBEDDED
from mezzotint.runtime import checkpoints

WATTS = 20.0  # of two processor cores under load: an estimate, not a measurement
_LANGUAGES = "Concepts by language"
_ON_THE_PAGE = {"scenes": "Scenes", "styles": "Styles named in the prompt"}  # places, and the tables that stand there
_TRANSFORMERS = ("mini-base", "mini-joint")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("bundle", choices=("mini", "mini-judge"))
    options.add_argument("--report", type=Path, help="what mezzotint evaluate wrote")
    options.add_argument("--corpus", type=Path, nargs="+", required=True, help="what was encoded; of a judge, one")
    options.add_argument("--encoded", type=Path, nargs="*", default=[], help="what the mini learned from")
    options.add_argument("--run", type=Path, nargs="+", required=True, help="the runs, in their order")
    options.add_argument("--earlier", type=Path, help="a card of the model that they went on from: its runs count too")
    options.add_argument("--card", type=Path, help="the README.md to write; by default the bundle's")
    options.add_argument("--page", type=Path, help="docs/mini.md")
    options.add_argument("--changed", help="adds a row to the page's curve")
    args = options.parse_args()
    card = args.card or EMBEDDED / args.bundle / "README.md"
    spent = totals(args.run, args.earlier)
    write_marked(card, "training", training(spent))
    if args.bundle == "mini-judge":
        write_marked(card, "data", scene_counts(args.corpus[0]))
        write_marked(card, "figures", judged_scenes(args.corpus[0]))
        return
    report = json.loads((args.report / "report.json").read_text(encoding="utf-8"))
    model = next(iter(report["conditions"]["models"]))
    tables = tables_of(report, model)
    write_marked(card, "data", picture_counts(args.corpus, args.encoded))
    write_marked(card, "figures", [*conditions(report, model), *figures(tables)])
    if args.page:
        write_page(args.page, args.report, tables)
    if args.page and args.changed:
        add_row(args.page, point(spent, tables, args.changed))


def conditions(report: dict[str, Any], model: str) -> list[str]:
    said = report["conditions"]
    spent = duration(said["models"][model]["seconds"])
    return [
        f"`mezzotint evaluate {model} --data CORPUS --out DIR` measured all of this: {asked(said['models'][model])}, "
        f"seed {said['seed']}, on {said['threads']} threads ({said['version']}); 95 % intervals. In {spent}.",
        "",
    ]


def figures(tables: Sequence[Table]) -> Iterator[str]:
    """Every table of a report."""
    for table in tables:
        yield from (f"### {table.title}", "", table.note, "", *markdown(table), "")


def judged_scenes(corpus: Path) -> Iterator[str]:
    """What the judge says of the real pictures that the suite "scenes" asks about; their texts by language."""
    resources = Resources(corpus=corpus, device=torch.device("cpu"), judge_folder=EMBEDDED / "mini-judge")
    yield from ("| skill | scenes | right | chance |", "| --- | ---: | ---: | ---: |")
    for name, skill in SKILLS.items():
        asked = held_out(resources.props, skill, ASKED)
        right = judged(resources.judge, skill, [one.real for one in asked], asked)
        chance = skill.chance([one.scene for one in asked])
        yield f"| {name} | {len(asked)} | {share(right)} | {chance:.1%} |"
        written = np.array([one.scene.writings[0].language if one.scene.writings else "" for one in asked])
        for language in sorted(set(written) - {""}):
            own = right[written == language]
            yield f"| {name}, {LANGUAGE_NAMES[language]} | {len(own)} | {share(own)} | {chance:.1%} |"
    yield ""
    yield machine()


@dataclass(frozen=True)
class Spent:
    """What runs of a recipe took."""

    steps: int
    samples: int
    hours: float

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.steps + other.steps, self.samples + other.samples, self.hours + other.hours)

    def __str__(self) -> str:
        return f"{self.steps:,} | {self.samples:,} | {self.hours:.1f} | {WATTS * self.hours / 1000:.3f}"


NOTHING = Spent(0, 0, 0.0)


def totals(runs: Sequence[Path], earlier: Path | None) -> dict[str, Spent]:
    """By recipe: the runs up to their newest checkpoints, and those that an earlier card tells of."""
    spent = dict(told(earlier)) if earlier else {}
    for run in runs:
        end = _end(run)
        spent[_recipe(run)] = spent.get(_recipe(run), NOTHING) + Spent(
            end["step"], end["samples"], end["seconds"] / 3600
        )
    return spent


def told(card: Path) -> Iterator[tuple[str, Spent]]:
    """The rows of a card's table of training, without the last one, their sum."""
    for row in marked(card, "training")[2:]:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) == 5 and cells[0] != "together":
            steps, samples = (int(cell.replace(",", "")) for cell in cells[1:3])
            yield cells[0], Spent(steps, samples, float(cells[3]))


def training(spent: Mapping[str, Spent]) -> Iterator[str]:
    """Steps, samples, time and energy by recipe, and of all together."""
    yield from ("| recipe | steps | samples | hours | kWh, estimated |", "| --- | ---: | ---: | ---: | ---: |")
    yield from (f"| {recipe} | {own} |" for recipe, own in spent.items())
    if len(spent) > 1:
        yield f"| together | {sum(spent.values(), NOTHING)} |"
    yield ""
    yield f"Energy: {WATTS:g} W for both cores of the processor, though most of the time other work shared them."


def _recipe(run: Path) -> str:
    return str(json.loads((run / "run.json").read_text(encoding="utf-8"))["recipe"])


def _end(run: Path) -> dict[str, Any]:
    newest = checkpoints.steps(run / "checkpoints")[-1]
    end: dict[str, Any] = json.loads((newest / "state.json").read_text(encoding="utf-8"))
    return end


def scene_counts(corpus: Path) -> list[str]:
    """The training scenes of a corpus by licence."""
    scenes = list(read_records(corpus, ["licence", "credit"], splits=["train"], kinds=["scene"]))
    return _counted(Counter((scene.licence, scene.credit) for scene in scenes))


def picture_counts(corpora: Sequence[Path], encoded: Sequence[Path]) -> list[str]:
    """The different training pictures of encoded folders by licence, as the corpora know them."""
    ids: set[str] = set()
    for shard in (path for folder in encoded for path in sorted(folder.glob("*/samples.parquet"))):
        table = pq.read_table(shard, columns=["id", "split"]).to_pydict()
        ids |= {name for name, split in zip(table["id"], table["split"], strict=True) if split == "train"}
    records = (record for corpus in corpora for record in read_records(corpus, ["id", "licence", "credit"]))
    made = {record.id: (record.licence, record.credit) for record in records if record.id in ids}
    return _counted(Counter(made.values()))


def _counted(found: Counter[tuple[str, str]]) -> list[str]:
    lines = [f"| {licence} | {credit} | {count:,} |" for (licence, credit), count in sorted(found.items())]
    return ["| licence | made by | pictures |", "| --- | --- | ---: |", *lines, f"| all | | {found.total():,} |"]


def write_page(page: Path, report: Path, tables: Sequence[Table]) -> None:
    """The page's tables and its pictures."""
    titled = {table.title: table for table in tables}
    for place, title in _ON_THE_PAGE.items():
        write_marked(page, place, markdown(titled[title]))
    with Image.open(report / "contact-sheet.png") as sheet:
        sheet.convert("RGB").save(page.parent / "pictures" / "concepts.webp", quality=80, method=6)


def point(spent: Mapping[str, Spent], tables: Sequence[Table], changed: str) -> str:
    """A row of the curve: the samples that the transformer saw, and what the examiner finds."""
    samples = sum(own.samples for recipe, own in spent.items() if recipe in _TRANSFORMERS)
    rows = {row.name: row for row in next(table for table in tables if table.title == _LANGUAGES).rows}
    cells = [str(rows[language].figures[name]) for language in ("English", "Chinese") for name in ("top-1", "top-5")]
    return f"| {samples:,} | {' | '.join(cells)} | {changed} |"


def add_row(page: Path, row: str) -> None:
    """Append to the curve, or replace the row with the same number of samples."""
    kept, same = marked(page, "curve"), row.split("|")[1]
    write_marked(page, "curve", [*(line for line in kept if line.split("|")[1] != same), row])


if __name__ == "__main__":
    main()
