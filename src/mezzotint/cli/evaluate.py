"""Measure a model: what it paints for fixed prompts and seeds, beside what real pictures and noise would get."""

import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mezzotint import __version__
from mezzotint.errors import InputError
from mezzotint.runtime import atomic

if TYPE_CHECKING:
    from mezzotint.evaluation.examination import Examination, Resources
    from mezzotint.evaluation.report import Report

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which model, by which suites."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """A model's name or folder."""
    data: Path
    """The corpus with the real pictures: `mezzotint corpus build` makes it."""
    out: Path
    """The report's folder: report.json, report.md, contact-sheet.png."""
    suite: str = ALL
    """concepts, styles, sizes, scenes, reconstruction, distribution, several with commas between, or all."""
    compare: str | None = None
    """Another model, on the same prompts and seeds, with the differences."""
    limit: int | None = None
    """At most so many items of each kind: for a quick look, not for figures to quote."""
    seed: int = 0
    """All noise follows from it."""
    batch: int = 16
    """Pictures that a model is asked for at once."""
    judge: Path | None = None
    """The judge of scenes, as `mezzotint train mini-judge` exports one; by default the one that comes with the
    package."""
    device: str | None = None
    """cpu, cuda, mps; the best one there is when not given."""


def run(options: Options) -> None:
    from mezzotint.evaluation.examination import JUDGE, Examination, Resources
    from mezzotint.evaluation.painter import Painter
    from mezzotint.evaluation.report import duration, plain
    from mezzotint.evaluation.suites import report
    from mezzotint.generation.pipeline import Pipeline

    names = _suites(options.suite)
    for name, least in (("limit", 2), ("batch", 1), ("seed", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise InputError(f"--{name} is {value}; it must be {least} or more")
    atomic.check_place(options.out)
    models = [options.model, *([options.compare] if options.compare else [])]
    pipelines = [Pipeline.from_pretrained(model, device=options.device) for model in models]
    resources = Resources(corpus=options.data, device=pipelines[0].device, judge_folder=options.judge or JUDGE)
    examinations = [
        Examination(
            painter=Painter(pipeline, options.batch), resources=resources, seed=options.seed, limit=options.limit
        )
        for pipeline in pipelines
    ]
    found = report(names, examinations, _conditions(options, names, resources))
    for name, tables in found.tables.items():
        print(f"== {name}")
        print("\n".join(line for table in tables for line in plain(table)))
    for name, model in found.conditions["models"].items():
        print(f"{name}: {duration(model['seconds'])}")
    _write(options.out, found, examinations)
    print(options.out / "report.md")


def _suites(text: str) -> list[str]:
    from mezzotint.evaluation.suites import SUITES

    names = list(SUITES) if text == ALL else text.split(",")
    if unknown := [name for name in names if name not in SUITES]:
        raise InputError(f"there is no suite {unknown[0]!r}: suites are {', '.join(SUITES)} and {ALL}")
    return names


def _conditions(options: Options, names: Sequence[str], resources: "Resources") -> dict[str, Any]:
    """On what all models are measured, and by which judge, if one is asked."""
    import torch

    from mezzotint.data.manifest import weights_digest
    from mezzotint.evaluation import scenes, sizes

    judge = resources.judge_folder.resolve()
    return {
        "corpus": options.data.resolve().name,
        "seed": options.seed,
        "limit": options.limit,
        **({"judge": weights_digest(judge.parent, judge.name)} if {scenes.SUITE, sizes.SUITE} & set(names) else {}),
        "device": str(resources.device),
        "threads": torch.get_num_threads(),
        "version": f"mezzotint {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
    }


def _write(folder: Path, found: "Report", examinations: list["Examination"]) -> None:
    from mezzotint.evaluation.contact_sheet import write_contact_sheet

    atomic.write_json(folder / "report.json", found.to_json())
    atomic.write_text(folder / "report.md", found.to_markdown())
    for position, examination in enumerate(examinations):
        name = "contact-sheet.png" if position == 0 else "contact-sheet-compared.png"
        write_contact_sheet(folder / name, examination.shown)
    print(f"wrote {folder}", file=sys.stderr)
