import json

import numpy as np
import pytest

from mezzotint.evaluation.report import (
    Report,
    Row,
    Table,
    compare,
    constant,
    difference,
    duration,
    markdown,
    mean,
    plain,
    share,
    statistic,
    tables_of,
)

RIGHT, WRONG = np.array([True, True, False, True]), np.array([False, True, False, False])


def table(hits: np.ndarray) -> Table:
    rows = (
        Row(name="English", figures={"top-1": share(hits), "PSNR": mean(hits * 30.0, "dB")}),
        Row(name="noise", figures={"top-1": share(~hits)}, reference=True),
    )
    return Table(suite="concepts", title="Concepts", note="What it means.", rows=rows)


def test_a_share_is_written_in_percent_with_its_interval():
    assert str(share(RIGHT)) == "75.0 % [30.1, 95.4]"
    assert str(mean(np.array([30.0, 30.0]), "dB")) == "30.00 dB [30.00, 30.00]"


def test_a_difference_is_paired():
    """Where both err on the same items, the difference is surer than two separate intervals would say."""
    one = np.arange(100) % 2 == 0
    gap = difference(share(one), share(one))
    assert (gap.value, *gap.interval) == (0.0, 0.0, 0.0)
    assert difference(share(RIGHT), share(WRONG)).value == pytest.approx(0.5)


def test_replicates_are_paired_too():
    replicates = np.array([3.0, 5.0, 9.0])
    gap = difference(statistic(6.0, replicates + 1, 3), statistic(4.0, replicates, 3))
    assert gap.value == 2.0
    assert gap.interval == pytest.approx((2.0, 2.0))


def test_comparing_leaves_the_reference_rows_out():
    (compared,) = compare([table(RIGHT)], [table(WRONG)])
    (row,) = compared.rows
    assert row.name == "English"
    assert row.figures["top-1"].value == pytest.approx(0.5)
    assert row.figures["PSNR"].value == pytest.approx(15.0)


def test_markdown_and_text_have_every_figure():
    lines = markdown(table(RIGHT))
    assert lines[0] == "|  | items | top-1 | PSNR |"
    assert lines[2].startswith("| English | 4 | 75.0 % [30.1, 95.4] | 22.50 dB [")
    assert lines[3].startswith("| *noise* | 4 | 25.0 %")
    assert plain(table(RIGHT))[1].startswith("  English  top-1 75.0 % [30.1, 95.4]   PSNR 22.50 dB")


def test_the_report_is_json_and_markdown():
    report = Report(conditions={"seed": 0}, tables={"mini": [table(RIGHT)]})
    content = json.loads(json.dumps(report.to_json()))
    row = content["results"]["mini"][0]["rows"][0]
    assert row["figures"]["top-1"] == {
        "value": 0.75,
        "low": pytest.approx(0.3006, abs=1e-4),
        "high": pytest.approx(0.9544, abs=1e-4),
        "unit": "%",
        "count": 4,
    }
    text = report.to_markdown()
    assert "- seed: 0" in text
    assert "## mini" in text
    assert "### Concepts" in text


def test_a_table_comes_back_from_json():
    content = json.loads(json.dumps(Report(conditions={}, tables={"mini": [table(RIGHT)]}).to_json()))
    (back,) = tables_of(content, "mini")
    assert markdown(back) == markdown(table(RIGHT))
    assert (back.suite, back.note) == ("concepts", "What it means.")


def test_what_is_known_has_no_spread():
    assert str(constant(0.25, 40)) == "25.0 % [25.0, 25.0]"


ASKED = {"steps": 28, "guidance": 3.5, "dtype": "float32"}


def test_the_time_of_each_suite_is_written():
    models = {"mini": {"digest": "abc", **ASKED, "seconds": {"concepts": 61.4, "scenes": 30.2}}}
    said = Report(conditions={"seed": 0, "models": models}, tables={}).to_markdown()
    assert duration(models["mini"]["seconds"]) == "seconds: concepts 61, scenes 30, together 92"
    assert (
        "- seed: 0\n- mini: abc; 28 steps, guidance 3.5, float32; seconds: concepts 61, scenes 30, together 92" in said
    )
