import json
from pathlib import Path

import pytest
from benchmarks.pages import marked, write_marked

from benchmarks import cards
from mezzotint.errors import InputError


def page(place: Path, name: str, lines: list[str]) -> Path:
    body = "\n".join(lines)
    place.write_text(f"before\n<!-- measured: {name} -->\n{body}\n<!-- end of {name} -->\nafter\n", encoding="utf-8")
    return place


def run(folder: Path, recipe: str, ends: dict[int, tuple[int, float]]) -> Path:
    """A run's folder with a checkpoint at every step, each after so many samples and seconds."""
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"recipe": recipe}), encoding="utf-8")
    for step, (samples, seconds) in ends.items():
        checkpoint = folder / "checkpoints" / f"step-{step:08d}"
        checkpoint.mkdir(parents=True)
        state = {"step": step, "samples": samples, "seconds": seconds}
        (checkpoint / "state.json").write_text(json.dumps(state), encoding="utf-8")
    return folder


def test_a_run_counts_up_to_its_newest_checkpoint_and_on_top_of_an_earlier_card(tmp_path: Path) -> None:
    earlier = page(
        tmp_path / "README.md",
        "training",
        list(
            cards.training(
                {"mini-vae": cards.Spent(1_600, 12_800, 0.5), "mini-joint": cards.Spent(10_401, 774_825, 11.8)}
            )
        ),
    )
    first = run(tmp_path / "first", "mini-joint", {250: (24_000, 900.0), 1_000: (96_000, 3_600.0)})
    second = run(tmp_path / "second", "mini-text", {240: (30_720, 720.0)})
    assert cards.totals([first, second], earlier) == {
        "mini-vae": cards.Spent(1_600, 12_800, 0.5),
        "mini-joint": cards.Spent(11_401, 870_825, 12.8),
        "mini-text": cards.Spent(240, 30_720, 0.2),
    }


def test_the_sum_of_all_recipes_is_not_counted_again(tmp_path: Path) -> None:
    lines = list(cards.training({"mini-vae": cards.Spent(1, 2, 0.5), "mini-base": cards.Spent(3, 4, 1.5)}))
    assert "| together | 4 | 6 | 2.0 | 0.040 |" in lines
    told = dict(cards.told(page(tmp_path / "README.md", "training", lines)))
    assert told == {"mini-vae": cards.Spent(1, 2, 0.5), "mini-base": cards.Spent(3, 4, 1.5)}


def test_a_row_of_the_curve_is_added_once(tmp_path: Path) -> None:
    curve = page(tmp_path / "mini.md", "curve", ["| samples | top-1 |", "| --- | --- |", "| 100 | 1 % |"])
    for row in ("| 200 | 2 % |", "| 200 | 3 % |"):
        cards.add_row(curve, row)
    assert marked(curve, "curve") == ["| samples | top-1 |", "| --- | --- |", "| 100 | 1 % |", "| 200 | 3 % |"]
    assert curve.read_text(encoding="utf-8").startswith("before\n")
    assert curve.read_text(encoding="utf-8").endswith("after\n")


def test_a_page_without_the_place_is_refused(tmp_path: Path) -> None:
    curve = page(tmp_path / "mini.md", "curve", [])
    with pytest.raises(InputError, match="no place for scenes"):
        write_marked(curve, "scenes", ["| 1 |"])
