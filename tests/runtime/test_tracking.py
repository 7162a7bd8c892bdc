import json
from pathlib import Path

from mezzotint.runtime.tracking import Tracker


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_resume_drops_what_came_after_its_step(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, 0)
    for step in (1, 2, 3):
        tracker.log(step, {"loss": float(step)})
    tracker.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    tracker = Tracker(tmp_path, 2)
    tracker.log(3, {"loss": 30.0})
    tracker.close()
    assert lines(tmp_path) == [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 2.0}, {"step": 3, "loss": 30.0}]


def test_not_a_number_is_null(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, 0)
    tracker.log(1, {"loss": float("nan")})
    tracker.close()
    assert lines(tmp_path) == [{"step": 1, "loss": None}]
