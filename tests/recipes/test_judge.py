from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.fixtures import small_packages
from tests.recipes.tiny_runs import options

from mezzotint.errors import InputError
from mezzotint.perception.scene_judge import load_scene_judge
from mezzotint.recipes.tiny import tiny_judge
from mezzotint.training.trainer import fit

RECIPE = replace(tiny_judge(), fonts=small_packages.FONTS, fetch=small_packages.fetch)


def test_the_exported_judge_has_the_averaged_weights(tmp_path: Path):
    run = RECIPE.prepare(options(small_packages.CORPUS, tmp_path / "run"))
    fit(run.config, run.state, run.objective, run.batches, tmp_path / "run", run.probes)
    run.export(tmp_path / "judge")
    judge = load_scene_judge(tmp_path / "judge")
    for name, weight in run.state.averaged_weights().items():
        torch.testing.assert_close(judge.state_dict()[name], weight.bfloat16().float(), rtol=0, atol=0)
    assert (tmp_path / "run" / "metrics.jsonl").read_text().count("right_nouns") > 0


def test_an_export_leaves_what_else_lies_in_the_folder(tmp_path: Path):
    (tmp_path / "mini" / "vae").mkdir(parents=True)
    RECIPE.prepare(options(small_packages.CORPUS, tmp_path / "run")).export(tmp_path / "mini")
    assert sorted(path.name for path in (tmp_path / "mini").iterdir()) == [
        "config.json",
        "diffusion_pytorch_model.safetensors",
        "vae",
    ]


def test_a_run_may_start_from_a_judge(tmp_path: Path):
    first = RECIPE.prepare(options(small_packages.CORPUS, tmp_path / "first", seed=1))
    first.export(tmp_path / "judge")
    start = str(tmp_path / "judge")
    second = RECIPE.prepare(options(small_packages.CORPUS, tmp_path / "second", start=start))
    for name, weight in first.state.averaged_weights().items():
        torch.testing.assert_close(second.state.masters[name], weight.bfloat16().float(), rtol=0, atol=0)
    other = replace(RECIPE, judge=replace(RECIPE.judge, letter_width=32))
    with pytest.raises(InputError, match="not of this recipe's size"):
        other.prepare(options(small_packages.CORPUS, tmp_path / "third", start=start))
