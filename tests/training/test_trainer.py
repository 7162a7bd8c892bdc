import json
import math
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mezzotint.errors import FileFormatError, MezzotintError
from mezzotint.runtime import checkpoints
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.learning_rate import constant
from mezzotint.training.optimizers import AdamW
from mezzotint.training.state import TrainState
from mezzotint.training.trainer import TIMINGS, FitConfig, Outcome, Probes, fit

CONFIG = FitConfig(
    steps=6,
    minutes=None,
    seed=5,
    log_every=2,
    validate_every=2,
    sample_every=3,
    checkpoint_every=3,
    keep_checkpoints=2,
    best_by="validation_loss",
)


@dataclass
class Numbers:
    """Inputs that depend on the step only."""

    def at(self, step: int) -> Tensor:
        return Seeds(9).normal((8, 4), "data", step)


@dataclass
class Denoise:
    """Learn to remove noise; raises `kill` against its own process after the step `kill_at`."""

    kill_at: int | None = None
    kill: signal.Signals = signal.SIGTERM
    poison: bool = False

    def step(self, state: TrainState, batch: Tensor, rng: Seeds) -> Mapping[str, Tensor]:
        noise = rng.normal(batch.shape, "noise", state.step)
        loss = (state.module((batch + noise).to(state.dtype)).float() - batch).square().mean()
        if self.poison:
            loss = loss * math.nan
        norm = state.backward_and_update(loss)
        if self.kill_at == state.step + 1:
            os.kill(os.getpid(), self.kill)
        return {"loss": loss.detach(), "gradient_norm": norm}


def train_state(dtype: torch.dtype = torch.float32) -> TrainState:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(4, 16), nn.SiLU(), nn.Linear(16, 4))
    return TrainState(
        module,
        optimizer=AdamW(lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1, rates={}),
        schedule=partial(constant, warmup=3),
        clip=1.0,
        average=0.9,
        device=torch.device("cpu"),
        dtype=dtype,
    )


def validate(state: TrainState) -> dict[str, float]:
    with torch.no_grad(), state.averaged() as module:
        x = Numbers().at(1000)
        return {"validation_loss": (module(x.to(state.dtype)).float() - x).square().mean().item()}


def sample(state: TrainState) -> Tensor:
    return torch.zeros(3, 3, 8, 8)


PROBES: Probes[Tensor] = Probes(validate=validate, sample=sample, flops=lambda batch: 6.0 * len(batch))


def train(folder: Path, objective: Denoise | None = None, config: FitConfig = CONFIG, **state: object) -> Outcome:
    return fit(config, train_state(**state), objective or Denoise(), Numbers(), folder, PROBES)


def weights(folder: Path) -> dict[str, Tensor]:
    return checkpoints.load(checkpoints.steps(folder / "checkpoints")[-1])[0]


def metrics(folder: Path, *, timings: bool = False) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if timings or k not in TIMINGS} for line in lines]


def assert_same_run(one: Path, other: Path) -> None:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert metrics(one) == metrics(other)


def test_a_run_leaves_metrics_samples_checkpoints_and_a_progress_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert train(tmp_path) == Outcome(6, "finished")
    lines = metrics(tmp_path, timings=True)
    assert [line["step"] for line in lines] == [2, 2, 4, 4, 6, 6]
    assert {"loss", "gradient_norm", "learning_rate", "samples", "flops_per_second"} <= lines[0].keys()
    assert lines[0]["samples"] == 16
    assert lines[1].keys() == {"step", "validation_loss"}
    with Image.open(tmp_path / "samples" / "step-00000003.png") as picture:
        assert picture.size == (20, 20)
    assert [place.name for place in checkpoints.steps(tmp_path / "checkpoints")] == ["step-00000003", "step-00000006"]
    error = capsys.readouterr().err
    assert "step 6/6  loss " in error
    assert "samples/s" in error
    assert "FLOP/s" in error


def test_training_learns(tmp_path: Path):
    train(tmp_path, config=replace(CONFIG, steps=200, log_every=20, checkpoint_every=200, sample_every=200))
    losses = [line["loss"] for line in metrics(tmp_path) if "loss" in line]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_run_stopped_by_a_signal_and_resumed_is_the_unbroken_run(
    tmp_path: Path, at: int, number: signal.Signals, dtype: torch.dtype
):
    train(tmp_path / "unbroken", dtype=dtype)
    assert train(tmp_path / "broken", Denoise(at, number), dtype=dtype) == Outcome(at, "interrupted")
    assert checkpoints.steps(tmp_path / "broken" / "checkpoints")[-1].name == f"step-{at:08d}"
    assert train(tmp_path / "broken", dtype=dtype) == Outcome(6, "finished")
    assert_same_run(tmp_path / "unbroken", tmp_path / "broken")


def test_signal_handlers_are_given_back(tmp_path: Path):
    before = signal.getsignal(signal.SIGTERM)
    train(tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before


def test_lines_after_the_checkpoint_are_dropped_on_resume(tmp_path: Path):
    """A kill at step 5 leaves lines up to step 4 and the checkpoint of step 3."""
    train(tmp_path / "unbroken")
    train(tmp_path / "killed")
    last = checkpoints.steps(tmp_path / "killed" / "checkpoints")[-1]
    last.rename(tmp_path / "gone")
    with (tmp_path / "killed" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "los')
    train(tmp_path / "killed")
    assert_same_run(tmp_path / "unbroken", tmp_path / "killed")


def test_a_truncated_checkpoint_falls_back_to_the_one_before(tmp_path: Path, capsys: pytest.CaptureFixture):
    train(tmp_path / "unbroken")
    train(tmp_path / "broken")
    tensors = checkpoints.steps(tmp_path / "broken" / "checkpoints")[-1] / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:1000])
    capsys.readouterr()
    train(tmp_path / "broken")
    warning = capsys.readouterr().err.splitlines()[0]
    assert warning.startswith("warning: ")
    assert "step-00000006" in warning
    assert_same_run(tmp_path / "unbroken", tmp_path / "broken")


def test_when_no_checkpoint_can_be_read_the_error_names_one(tmp_path: Path):
    train(tmp_path)
    for place in checkpoints.steps(tmp_path / "checkpoints"):
        (place / "state.json").write_text("{")
    with pytest.raises(FileFormatError, match="step-00000003"):
        train(tmp_path)


def test_a_finished_run_is_left_as_it_is(tmp_path: Path):
    train(tmp_path)
    before = weights(tmp_path)
    assert train(tmp_path) == Outcome(6, "finished")
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(tmp_path).items())


def test_minutes_stop_with_a_checkpoint(tmp_path: Path):
    assert train(tmp_path, config=replace(CONFIG, minutes=0.0)) == Outcome(1, "minutes")
    assert train(tmp_path, config=replace(CONFIG, minutes=0.0)) == Outcome(2, "minutes")
    assert len(checkpoints.steps(tmp_path / "checkpoints")) == 2


def test_the_best_checkpoint_outlives_the_last_ones(tmp_path: Path):
    worsening = iter([1.0, 3.0, 2.0, 4.0, 5.0, 6.0])

    def validate(state: TrainState) -> dict[str, float]:
        return {"validation_loss": next(worsening)}

    config = replace(CONFIG, validate_every=1, checkpoint_every=1, keep_checkpoints=1)
    fit(config, train_state(), Denoise(), Numbers(), tmp_path, Probes(validate=validate))
    place = tmp_path / "checkpoints"
    assert [path.name for path in checkpoints.steps(place)] == ["step-00000001", "step-00000006"]
    assert checkpoints.best(place) == place / "step-00000001"


def test_a_loss_that_is_not_finite_stops_before_it_is_saved(tmp_path: Path):
    with pytest.raises(MezzotintError, match=r"the loss is nan at step 2; .* smaller --lr"):
        train(tmp_path, Denoise(poison=True))
    assert checkpoints.steps(tmp_path / "checkpoints") == []


def test_rates_leave_out_validation(tmp_path: Path):
    def slow(state: TrainState) -> dict[str, float]:
        time.sleep(0.2)
        return {"validation_loss": 1.0}

    start = time.monotonic()
    fit(CONFIG, train_state(), Denoise(), Numbers(), tmp_path, Probes(validate=slow))
    assert metrics(tmp_path, timings=True)[-2]["seconds"] <= time.monotonic() - start - 3 * 0.2
