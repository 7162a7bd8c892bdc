"""`mezzotint curate`: from raw pictures to a clean set, with a report of what was dropped and why."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Column, Table

from mezzotint.cli.console import Console
from mezzotint.cli.curate_heads import HeadOptions, Score, TrainHead, TrainQuality, run_heads
from mezzotint.cli.curate_judges import Judges, chosen
from mezzotint.cli.curate_vectors import VectorOptions, run_vectors
from mezzotint.curation.curate import DEFAULT_RULES, curate
from mezzotint.curation.engine import use_cluster
from mezzotint.curation.profiling.stage import ALL_MEASURES
from mezzotint.curation.report.funnel import Funnel
from mezzotint.curation.sources import Origin
from mezzotint.curation.sources.locate import last_part
from mezzotint.curation.thresholds import DEFAULTS, Languages, with_changes
from mezzotint.errors import InputError
from mezzotint.runtime.progress import progress


@dataclass(frozen=True, kw_only=True)
class Run:
    """Measure pictures, drop what lies outside of the limits and what is a copy; a killed run continues."""

    input: str
    """A folder, a .csv with a column `path`, a .tar, a .parquet, or a URL of one."""
    out: Path
    """The clean set's folder: a corpus, with report.html, report.json and dead-letters.jsonl."""
    limits: str = ""
    """Other limits than the default ones: clarity=0.8..,luma=20..240,noise=.. (the last: none)."""
    languages: tuple[str, ...] = ()
    """Only pictures with a caption in one of these, or with none: en zh; all when not given."""
    source: str | None = None
    """Where the pictures are from, for their records; the input's name when not given."""
    licence: str = "NOASSERTION"
    """The pictures' licence as an SPDX identifier, where the input does not say it."""
    credit: str = ""
    """Whom the pictures are by, where the input does not say it."""
    workers: int = max(1, os.cpu_count() or 1)
    """Processes, on all machines together."""
    cluster: str | None = None
    """A Ray cluster to run on, as host:port; its machines see the same files. "local" starts one here."""
    judges: tyro.conf.OmitArgPrefixes[Judges] = field(default_factory=Judges)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Say what is measured, and which limits are set when none are asked for."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """Read the text in a corpus' pictures, and list those with much of it for curate prune; a killed run continues."""

    corpus: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CORPUS")]
    """The folder of a corpus: of curate run, or of corpus build."""
    out: Path
    """Where texts/ and prune.jsonl go."""
    most_share: float = 0.2
    """A picture is listed whose text covers more than this share of it."""
    workers: int = max(1, os.cpu_count() or 1)
    """Processes."""


Options = (
    Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Limits, tyro.conf.subcommand("limits")]
    | Annotated[Read, tyro.conf.subcommand("read")]
    | HeadOptions
    | VectorOptions
)


def run(options: Options) -> None:
    if isinstance(options, Limits):
        _print_limits()
        return
    if isinstance(options, TrainHead | Score | TrainQuality):
        run_heads(options)
        return
    if not isinstance(options, Run | Read):
        run_vectors(options)
        return
    if not 1 <= options.workers <= 256:
        raise InputError(f"--workers is {options.workers}; it must be from 1 to 256")
    if isinstance(options, Read):
        _read(options)
        return
    judges = chosen(options.judges)
    limits = with_changes(options.limits, [*DEFAULTS, *(limit for judge in judges for limit in judge.limits)])
    rules = replace(DEFAULT_RULES, languages=Languages(options.languages), limits=limits, judges=judges)
    source = options.source or last_part(options.input)
    origin = Origin(source=source, licence=options.licence, credit=options.credit)
    if options.cluster is not None:
        use_cluster(options.cluster)
    try:
        funnel = curate(
            options.input, options.out, origin=origin, rules=rules, workers=options.workers, progress=progress
        )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt("interrupted: the same command goes on from here") from stop
    _print_funnel(funnel)
    print(options.out / "report.html")


def _read(options: Read) -> None:
    from mezzotint.curation.reading import PRUNE, read_texts

    found = read_texts(
        options.corpus, options.out, most_share=options.most_share, workers=options.workers, progress=progress
    )
    print(f"{found.pictures} pictures, {found.with_text} with text; {found.pruned} with much of it")
    print(options.out / PRUNE)


def _print_funnel(funnel: Funnel) -> None:
    table = Table("stage", "limit", "seen", "dropped", Column("reasons", overflow="fold"), title="What was dropped")
    for step in funnel.steps:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in step.dropped.items())
        table.add_row(step.name, step.limit, str(step.seen), str(step.seen - step.kept), reasons)
    console = Console()
    console.print(table, markup=False)
    console.print(f"{funnel.kept} of {funnel.pictures} pictures were kept")


def _print_limits() -> None:
    limits = {limit.measure: str(limit) for limit in DEFAULTS}
    table = Table("measure", "default limit", title="Measures; the limits are this project's own")
    for name in ALL_MEASURES:
        table.add_row(name, limits.get(name, ".."))
    Console().print(table)
