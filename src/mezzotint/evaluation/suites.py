"""The suites by name, and a run of some of them on one model or on two."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mezzotint.evaluation import concepts, distribution, reconstruction, scenes, sizes, styles
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.report import Report, Table, compare
from mezzotint.generation.pipeline import Pipeline

Suite = Callable[[Examination], list[Table]]

SUITES: Mapping[str, Suite] = {
    concepts.SUITE: concepts.tables,
    styles.SUITE: styles.tables,
    sizes.SUITE: sizes.tables,
    scenes.SUITE: scenes.tables,
    reconstruction.SUITE: reconstruction.tables,
    distribution.SUITE: distribution.tables,
}


def run(names: Sequence[str], examination: Examination) -> tuple[list[Table], dict[str, float]]:
    """The tables of some suites, and the seconds that each took."""
    tables, seconds = [], {}
    for name in names:
        start = time.monotonic()
        tables += SUITES[name](examination)
        seconds[name] = round(time.monotonic() - start, 1)
    return tables, seconds


def report(names: Sequence[str], examinations: Sequence[Examination], conditions: Mapping[str, Any]) -> Report:
    """One model's tables, or two models' and their paired differences."""
    labels = _labels([examination.painter.pipeline.name for examination in examinations])
    tables, models = {}, {}
    for label, examination in zip(labels, examinations, strict=True):
        tables[label], seconds = run(names, examination)
        models[label] = {**_settings(examination.painter.pipeline), "seconds": seconds}
    if len(examinations) == 2:
        ours, theirs = (tables[label] for label in labels)
        tables[f"{labels[0]} − {labels[1]}"] = compare(ours, theirs)
    return Report(conditions={**conditions, "models": models}, tables=tables)


def _settings(pipeline: Pipeline) -> dict[str, Any]:
    """Whose answers these are, and how it was asked for them."""
    return {
        "digest": pipeline.digest,
        "steps": pipeline.defaults.steps,
        "guidance": pipeline.defaults.guidance,
        "dtype": str(pipeline.dtype).removeprefix("torch."),
    }


def _labels(names: Sequence[str]) -> list[str]:
    """Different headings even where two folders have the same name."""
    return [name if names.count(name) == 1 else f"{name} ({position})" for position, name in enumerate(names, start=1)]
