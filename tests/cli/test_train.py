"""The `train` verb as a user meets it: real processes, real signals, tiny data."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from tests.data.small_corpus import write_corpus

from mezzotint.cli.main import main
from mezzotint.cli.train import Options, resume_command
from mezzotint.recipes import RECIPES
from mezzotint.runtime import checkpoints
from mezzotint.training.trainer import TIMINGS

# Copies of a process that has already imported everything: each is killed for real, and starts at once.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["mezzotint.recipes", "mezzotint.training.trainer", "mezzotint.cli.train", "mezzotint.cli.main"]
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def command(corpus: Path, run: Path, *more: str, recipe: str = "tiny-vae") -> list[str]:
    return ["train", recipe, "--data", str(corpus), "--run", str(run), *more, "--device", "cpu", "--threads", "1"]


def run_cli(arguments: list[str], errors: Path) -> None:
    descriptor = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 2)
    raise SystemExit(main(arguments))


def start(arguments: list[str], errors: Path) -> BaseProcess:
    process = PROCESSES.Process(target=run_cli, args=(arguments, errors))
    process.start()
    return process


def finish(arguments: list[str], errors: Path) -> int | None:
    process = start(arguments, errors)
    process.join(timeout=120)
    return process.exitcode


def steps_logged(run: Path) -> int:
    path = run / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


def steps_done(run: Path) -> int:
    return int(json.loads((checkpoints.steps(run / "checkpoints")[-1] / "state.json").read_text())["step"])


def wait_until(condition: Callable[[], bool], process: BaseProcess) -> None:
    deadline = time.monotonic() + 120
    while not condition() and process.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def metrics(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMINGS} for line in lines]


def assert_same(one: Path, other: Path) -> None:
    ours, theirs = (checkpoints.steps(run / "checkpoints") for run in (one, other))
    assert [place.name for place in ours] == [place.name for place in theirs]
    for mine, their in zip(ours, theirs, strict=True):
        assert (mine / "tensors.safetensors").read_bytes() == (their / "tensors.safetensors").read_bytes()
    assert metrics(one) == metrics(other)


def kill_and_compare(corpus: Path, folder: Path, steps: int, kills: int, dtype: str) -> None:
    """A run that is killed at random moments ends as one that is not."""
    errors, moments = folder / "errors.txt", random.Random(time.time_ns())
    options = ["--steps", str(steps), "--dtype", dtype]
    assert finish(command(corpus, folder / "whole", *options), errors) == 0
    total = steps_logged(folder / "whole")
    for kill in range(kills):
        process = start(command(corpus, folder / "killed", *options), errors)
        lines = moments.randrange(1 + total * kill // kills, 1 + total * (kill + 1) // kills)
        wait_until(lambda lines=lines: steps_logged(folder / "killed") >= lines, process)
        time.sleep(moments.random() * 0.05)
        process.kill()
        process.join()
        assert process.exitcode in {-signal.SIGKILL, 0}
    assert finish(command(corpus, folder / "killed", *options), errors) == 0
    assert_same(folder / "whole", folder / "killed")


def test_a_run_killed_at_three_random_moments_ends_with_the_same_weights(corpus: Path, tmp_path: Path):
    kill_and_compare(corpus, tmp_path, steps=18, kills=3, dtype="float32")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_run_killed_at_many_random_moments_ends_with_the_same_weights(corpus: Path, tmp_path: Path, dtype: str):
    kill_and_compare(corpus, tmp_path, steps=200, kills=20, dtype=dtype)


@pytest.mark.slow
def test_two_processes_share_the_batch_and_resume(corpus: Path, tmp_path: Path):
    def train(run: Path, *more: str) -> None:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        words = [*torchrun, "-m", "--", "mezzotint", *command(corpus, run, "--steps", "6", *more)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr[-2000:]

    train(tmp_path / "whole")
    train(tmp_path / "stopped", "--minutes", "0")
    assert steps_done(tmp_path / "stopped") == 1
    train(tmp_path / "stopped")
    assert_same(tmp_path / "whole", tmp_path / "stopped")
    state = json.loads((checkpoints.steps(tmp_path / "whole" / "checkpoints")[-1] / "state.json").read_text())
    assert state["samples"] == 6 * RECIPES["tiny-vae"]().plan.batch


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_in_a_checkpoint_and_the_resume_command(corpus: Path, tmp_path: Path, number: int):
    run, errors = tmp_path / "run", tmp_path / "errors.txt"
    arguments = command(corpus, run, "--steps", "100000")
    process = start(arguments, errors)
    wait_until(lambda: steps_logged(run) >= 1, process)
    os.kill(process.pid or 0, number)
    process.join(timeout=60)
    assert process.exitcode == 130
    last = errors.read_text().splitlines()[-1]
    assert last == f"stopped at step {steps_done(run)}; resume with: mezzotint {' '.join(arguments)}"


def test_an_unfinished_run_can_be_exported(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    run, out = tmp_path / "run", tmp_path / "model"
    assert main(command(corpus, run, "--minutes", "0")) == 0
    capsys.readouterr()
    assert main(command(corpus, run, "--steps", "0", "--export", str(out))) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert sorted(path.name for path in (out / "vae").iterdir()) == [
        "config.json",
        "diffusion_pytorch_model.safetensors",
    ]
    assert len(checkpoints.steps(run / "checkpoints")) == 1


def test_what_a_user_can_get_wrong_is_one_line_and_exit_code_2(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    run = tmp_path / "run"

    def error(arguments: list[str]) -> str:
        capsys.readouterr()
        assert main(arguments) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        return lines[0]

    assert "recipe 'no' does not exist; there are mini-vae" in error(command(corpus, run, recipe="no"))
    assert "nowhere does not exist" in error(command(tmp_path / "nowhere", run))
    assert "--steps is -1" in error(command(corpus, run, "--steps", "-1"))
    assert "--batch is 0" in error(command(corpus, run, "--batch", "0"))
    assert "--threads is 0" in error([*command(corpus, run), "--threads", "0"])
    assert "float16 cannot be trained in" in error(command(corpus, run, "--dtype", "float16"))
    assert "holds no checkpoint to export" in error(command(corpus, run, "--steps", "0", "--export", str(tmp_path)))
    assert "cannot make the folder" in error(command(corpus, run, "--export", "/dev/null/model"))
    assert "--mix has 'scenes'; write a folder and its share" in error(command(corpus, run, "--mix", "scenes"))
    assert "--mix has 'a' twice" in error(command(corpus, run, "--mix", "a=0.5", "a=0.2"))
    assert "between 0 and 1" in error(command(corpus, run, "--mix", "scenes=1.5"))
    assert "has no use for --mix" in error(command(corpus, run, "--mix", f"{corpus}=0.5"))
    assert main(command(corpus, run)) == 0
    assert "choose another --run" in error(command(corpus, run, "--seed", "1"))


def test_the_resume_command_is_quoted_and_leaves_out_defaults():
    options = Options(recipe="mini-vae", data=Path("my data"), run=Path("r"), compile=True, minutes=1.5)
    assert resume_command(options) == "mezzotint train mini-vae --data 'my data' --run r --minutes 1.5 --compile"
    mixed = Options(recipe="mini-base", data=Path("d"), run=Path("r"), mix=("a b=0.2", "c=0.1"))
    assert resume_command(mixed) == "mezzotint train mini-base --data d --mix 'a b=0.2' c=0.1 --run r"


def test_the_help_names_every_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in RECIPES if not name.startswith("tiny-"))
    assert "--steps 0 --export FOLDER" in " ".join(out.split())
