from pathlib import Path

import torch
from tests.fixtures import small_packages
from tests.recipes.tiny_runs import options, train

from mezzotint.perception.scene_judge import load_scene_judge


def test_the_exported_judge_has_the_averaged_weights(tmp_path: Path):
    run = train("tiny-judge", options(small_packages.CORPUS, tmp_path / "run"))
    run.export(tmp_path / "judge")
    judge = load_scene_judge(tmp_path / "judge")
    for name, weight in run.state.averaged_weights().items():
        torch.testing.assert_close(judge.state_dict()[name], weight.bfloat16().float(), rtol=0, atol=0)
    assert (tmp_path / "run" / "metrics.jsonl").read_text().count("right_nouns") > 0
