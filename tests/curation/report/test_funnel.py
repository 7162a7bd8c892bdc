import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from mezzotint.curation.copies import NAME as DUPLICATES
from mezzotint.curation.profiling.stage import ALL_MEASURES
from mezzotint.curation.report.funnel import BINS, EXAMPLES, Funnel, build_funnel
from mezzotint.curation.thresholds import Between

LIMITS = [Between(measure="luma", least=10, most=200), Between(measure="noise", most=5)]
STAGES = ["read", "profile", "luma", "noise", DUPLICATES]


def verdicts() -> Iterator[dict[str, Any]]:
    """On a hundred pictures with luma 0, 2, 4, …; one unreadable, and one a copy."""
    for number in range(100):
        row: dict[str, Any] = {name: float(number) for name in ALL_MEASURES}
        row |= {"id": f"{number}", "preview": b"jpeg", "luma": number * 2.0, "noise": 1.0}
        row |= {"dropped_by": None, "reason": None, "of": None, "captions": [{"language": "en"}] * (number % 2)}
        if row["luma"] < 10:
            row |= {"dropped_by": "luma", "reason": "below 10"}
        if number == 50:
            row |= dict.fromkeys(ALL_MEASURES) | {"preview": None, "dropped_by": "profile", "reason": "an empty file"}
        if number == 60:
            row |= {"dropped_by": DUPLICATES, "reason": "an exact copy", "of": "61"}
        yield row


@pytest.fixture(scope="module")
def funnel() -> Funnel:
    return build_funnel(verdicts(), LIMITS, STAGES)


def test_each_stage_sees_what_the_one_before_kept(funnel: Funnel) -> None:
    assert [(step.name, step.seen, dict(step.dropped)) for step in funnel.steps] == [
        ("read", 100, {}),
        ("profile", 100, {"an empty file": 1}),
        ("luma", 99, {"below 10": 5}),
        ("noise", 94, {}),
        (DUPLICATES, 94, {"an exact copy": 1}),
    ]
    assert all(one.kept == other.seen for one, other in itertools.pairwise(funnel.steps))
    assert (funnel.pictures, funnel.kept) == (100, 93)


def test_a_histogram_counts_all_that_could_be_read(funnel: Funnel) -> None:
    for measured in funnel.measures:
        assert len(measured.kept) == len(measured.dropped) == BINS == len(measured.edges) - 1
        assert (measured.kept.sum(), measured.dropped.sum()) == (93, 6)
    luma = next(measured for measured in funnel.measures if measured.name == "luma")
    assert luma.dropped[:2].sum() == 5
    assert luma.quantiles["1"] == 198


def test_examples_say_why_and_border_cases_are_near_a_limit(funnel: Funnel) -> None:
    steps = {step.name: step for step in funnel.steps}
    assert {example.note for example in steps["luma"].examples} == {f"{v}, below 10" for v in (0, 2, 4, 6, 8)}
    assert [example.note for example in steps[DUPLICATES].examples] == ["an exact copy of 61"]
    assert steps["profile"].examples[0].preview is None
    border = [float(example.note) for example in steps["luma"].border]
    assert border[:3] == [198, 196, 194]
    assert len(border) == EXAMPLES // 2
    assert steps["noise"].border == []


def test_the_report_is_plain_data(funnel: Funnel) -> None:
    report = funnel.to_json()
    assert [stage["name"] for stage in report["stages"]] == STAGES
    assert report["measures"]["luma"]["limit"] == "10..200"
    assert report["caption_languages"] == {"en": 50}
    assert sum(report["measures"]["luma"]["histogram"]["kept"]) == 93


def test_nothing_at_all_is_a_report_too() -> None:
    funnel = build_funnel([], LIMITS, STAGES)
    assert (funnel.pictures, funnel.kept, list(funnel.measures)) == (0, 0, [])
