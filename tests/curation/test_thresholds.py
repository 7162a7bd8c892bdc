import re
from pathlib import Path

import pytest

from mezzotint.curation.profiling.stage import ALL_MEASURES
from mezzotint.curation.stage import Stage
from mezzotint.curation.thresholds import DEFAULTS, Between, Formats, Languages, with_changes
from mezzotint.data.parquet import pa
from mezzotint.errors import InputError


def test_a_limit_is_part_of_what_it_lets_through() -> None:
    batch = pa.RecordBatch.from_pydict({"luma": [9.9, 10.0, 100.0, 240.0, 240.1]})
    rows, reasons = Between(measure="luma", least=10, most=240)(batch)
    assert rows is batch
    assert reasons == ["below 10", None, None, None, "above 240"]
    assert Between(measure="luma")(batch).reasons == [None] * 5


def test_formats_are_kept_by_name() -> None:
    batch = pa.RecordBatch.from_pydict({"format": ["PNG", "GIF", "JPEG"]})
    assert Formats()(batch).reasons == [None, "GIF", None]


def test_languages_are_kept_where_any_are_named() -> None:
    captions = [[], ["en"], ["fr", "zh"], ["fr"], ["ru", "fr"]]
    batch = pa.RecordBatch.from_pydict({"captions": [[{"language": one} for one in own] for own in captions]})
    assert Languages(("en", "zh"))(batch).reasons == [None, None, None, "fr", "fr and ru"]
    assert Languages()(batch).reasons == [None] * 5
    assert isinstance(Languages(), Stage)


def test_a_picture_without_the_measure_is_kept() -> None:
    batch = pa.RecordBatch.from_pydict({"alignment_en": pa.array([None, 0.1, 0.9], pa.float64())})
    assert Between(measure="alignment_en", least=0.5)(batch).reasons == [None, "below 0.5", None]


def test_a_judges_measures_are_known_with_its_limits() -> None:
    own = [*DEFAULTS, Between(measure="nsfw", most=0.5)]
    assert with_changes("nsfw=..0.3", own)[-1] == Between(measure="nsfw", most=0.3)
    with pytest.raises(InputError, match="there is no measure 'nsfw'"):
        with_changes("nsfw=..0.3")


def test_defaults_are_stages_of_known_measures_each_once() -> None:
    assert all(isinstance(limit, Stage) for limit in (*DEFAULTS, Formats()))
    assert {limit.measure for limit in DEFAULTS} <= set(ALL_MEASURES)
    assert len({limit.measure for limit in DEFAULTS}) == len(DEFAULTS)


def test_a_version_follows_the_limits() -> None:
    versions = {Between(measure="luma", least=a, most=b).version for a in (None, 1, 2) for b in (None, 1, 2)}
    assert len(versions) == 9


def test_limits_can_be_changed_added_and_lifted() -> None:
    limits = {limit.measure: limit for limit in with_changes("clarity=31.5.., noise=..,icc=1..1,luma=..200")}
    assert (limits["clarity"].least, limits["clarity"].most) == (31.5, None)
    assert (limits["noise"].least, limits["noise"].most) == (None, None)
    assert (limits["icc"].least, limits["icc"].most) == (1, 1)
    assert (limits["luma"].least, limits["luma"].most) == (None, 200)
    assert len(limits) == len(DEFAULTS) + 1
    assert with_changes("") == list(DEFAULTS)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("clarity", "'clarity' is not of the form"),
        ("clarity=30", "'clarity=30' is not of the form"),
        ("beauty=1..", "there is no measure 'beauty'"),
        ("clarity=low..", "'low' is not a number"),
    ],
)
def test_mistakes_are_one_clear_line(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        with_changes(text)


def test_the_guide_lists_the_defaults() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "curate.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", guide, re.MULTILINE))
    assert {name: limit for name, limit in listed.items() if name in ALL_MEASURES} == {
        limit.measure: "no limit" if str(limit) == ".." else str(limit) for limit in DEFAULTS
    }
