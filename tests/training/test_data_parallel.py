"""Two processes on one machine (gloo) that train together."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.training import data_parallel_runs
from tests.training.test_trainer import CONFIG, Numbers

from mezzotint.runtime.seeds import Seeds
from mezzotint.training.data_parallel import ALONE
from mezzotint.training.state import TrainState

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [*TORCHRUN, data_parallel_runs.__file__, str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    return out


def mean_of_two() -> TrainState:
    """One process that does the work of both: each step goes down the mean of two batches' gradients."""
    state = data_parallel_runs.muon_state(torch.float32)
    seeds = [Seeds(CONFIG.seed), Seeds(Seeds(CONFIG.seed).key("process", index=1))]
    for step in range(CONFIG.steps):
        for rank, seed in enumerate(seeds):
            batch = Numbers().at(2 * step + rank)
            noise = seed.normal(batch.shape, "noise", step)
            ((state.module(batch + noise) - batch).square().mean() / 2).backward()
        state.update()
        state.step += 1
    return state


def test_a_step_goes_down_the_mean_gradient_of_all(runs: Path) -> None:
    ours, expected = torch.load(runs / "whole-0.pt"), mean_of_two().tensors()
    assert len(ours) == len(expected) + 1
    for name, value in expected.items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=1e-6, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("name", ["whole", "resumed", "bfloat16"])
def test_all_processes_hold_the_same_state(runs: Path, name: str) -> None:
    assert_same(runs / f"{name}-0.pt", runs / f"{name}-1.pt")


def test_a_resumed_run_ends_as_one_in_one_go(runs: Path) -> None:
    assert_same(runs / "whole-0.pt", runs / "resumed-0.pt")


def test_samples_of_all_are_counted_and_one_writes(runs: Path) -> None:
    assert torch.load(runs / "whole-0.pt")["samples"] == 2 * 8 * CONFIG.steps
    lines = (runs / "whole" / "metrics.jsonl").read_text().splitlines()
    assert len([line for line in lines if "gradient_norm" in line]) == CONFIG.steps // CONFIG.log_every


def test_alone_nothing_is_shared() -> None:
    numbers = Numbers()
    assert ALONE.batches(numbers) is numbers
    assert ALONE.seeds(3) == Seeds(3)
    assert ALONE.sums(2, 5) == [2, 5]
    assert ALONE.leads


def assert_same(one: Path, other: Path) -> None:
    ours, theirs = torch.load(one), torch.load(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name
