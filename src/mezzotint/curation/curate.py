"""From an input to a clean set, pass by pass; each resumes where a killed run left it.

<out>/curated/records-00000.parquet   the clean set: a corpus that training reads
<out>/report.html, report.json        what was dropped, by which stage and why
<out>/dead-letters.jsonl              what could not be read, and why
<out>/passes/                         what a rerun need not do again: profile/, a folder of each judge, select/,
                                      duplicates.parquet
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mezzotint.curation import copies
from mezzotint.curation.copies import drop_copies
from mezzotint.curation.corpus import PART, Chosen, write_corpus
from mezzotint.curation.duplicates import Alike
from mezzotint.curation.judging import Judge, Judging
from mezzotint.curation.profiling.stage import ALL_MEASURES, Profile
from mezzotint.curation.report.funnel import COLUMNS, Funnel, build_funnel
from mezzotint.curation.report.page import write_page
from mezzotint.curation.runner import Progress, run_pass, silent
from mezzotint.curation.sources import Origin, open_input
from mezzotint.curation.stage import Stage
from mezzotint.curation.table_shard import TableShard
from mezzotint.curation.thresholds import DEFAULTS, Between, Formats, Languages
from mezzotint.curation.verdicts import Verdicts
from mezzotint.data.parquet import pa
from mezzotint.errors import InputError
from mezzotint.runtime import atomic

_PASSES = "passes"
READ = "read"  # the name under which what cannot even be read is dropped
_WORDS = pa.list_(pa.string())  # columns of this type become captions


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is kept. Each measure of a judge has its limit among the others, if only one without bounds."""

    formats: Formats
    languages: Languages
    limits: Sequence[Between]
    alike: Alike
    judges: Sequence[Judge] = ()


DEFAULT_RULES = Rules(formats=Formats(), languages=Languages(), limits=DEFAULTS, alike=Alike())


def curate(url: str, out: Path, *, origin: Origin, rules: Rules, workers: int, progress: Progress = silent) -> Funnel:
    """Make the clean set, or what is missing of it; returns what was kept and dropped.

    Raises the errors of `open_input` for an input, InputError for an output inside of it, an input inside of what the
    output replaces, or a picture that changed since it was measured, OutputError for a folder that cannot be written.
    """
    _check_apart(url, out)
    shards = open_input(url, origin)
    passes = out / _PASSES
    profiles = run_pass(passes / "profile", shards, READ, [Profile()], workers=workers, progress=progress)
    judgings = [Judging(judge=judge, threads=max(1, (os.cpu_count() or 1) // workers)) for judge in rules.judges]
    judged = [
        run_pass(passes / judging.name, shards, READ, [judging], workers=workers, progress=progress)
        for judging in judgings
    ]
    beside = list(zip(*judged, strict=True)) if judged else [()] * len(shards)
    stages: list[Stage] = [rules.formats, rules.languages, *rules.limits]
    columns = ("number", "id", *dict.fromkeys(name for stage in stages for name in stage.reads))
    tables = [TableShard(path, columns, others) for path, others in zip(profiles, beside, strict=True)]
    selected = run_pass(passes / "select", tables, READ, stages, workers=workers, progress=progress)
    dropped = drop_copies(passes / f"{copies.NAME}.parquet", profiles, selected, rules.alike)
    verdicts = Verdicts(profiles=profiles, selected=selected, copies=dropped, judged=judged)
    said = [field for judging in judgings for field in judging.writes]
    measures = (*ALL_MEASURES, *(field.name for field in said if field.type == pa.float64()))
    words = tuple(field.name for field in said if field.type == _WORDS)
    chosen = [
        Chosen(
            out / PART / f"records-{number:05d}.parquet",
            shard,
            (profile, *others),
            verdicts.kept(number),
            measures,
            words,
        )
        for number, (shard, profile, others) in enumerate(zip(shards, profiles, beside, strict=True))
    ]
    write_corpus(out / PART, chosen, workers=workers, progress=progress)
    _write_dead_letters(out / "dead-letters.jsonl", verdicts)
    names = [READ, Profile().name, *(stage.name for stage in stages), copies.NAME]
    funnel = build_funnel(verdicts.rows((*COLUMNS, *measures)), rules.limits, names, measures)
    atomic.write_json(out / "report.json", funnel.to_json())
    write_page(out / "report.html", funnel)
    return funnel


def _check_apart(url: str, out: Path) -> None:
    local = url.removeprefix("file://")
    if "://" in local:
        return
    source = Path(local).resolve()
    if out.resolve().is_relative_to(source):
        raise InputError(f"output {out} lies inside of the input {url}: name a folder elsewhere")
    if any(source.is_relative_to((out / part).resolve()) for part in (PART, _PASSES)):
        raise InputError(f"input {url} is a part of the output {out}, which would replace it: name another output")


def _write_dead_letters(path: Path, verdicts: Verdicts) -> None:
    letters = (
        {name: row[name] for name in ("id", "path", "dropped_by", "reason")}
        for row in verdicts.rows(["id", "path"])
        if row["dropped_by"] in (READ, Profile().name)
    )
    atomic.write_text(path, "".join(json.dumps(letter, ensure_ascii=False) + "\n" for letter in letters))
