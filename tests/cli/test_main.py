import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import mezzotint
from mezzotint.cli import main as cli
from mezzotint.cli.main import VERBS, main
from mezzotint.models import bundle


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_the_overview_names_every_verb(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert all(f"  {verb} " in out and summary in out for verb, (_, summary) in VERBS.items())


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mezzotint {mezzotint.__version__}\n"


def test_an_unknown_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw"]) == 2
    assert capsys.readouterr().err.startswith("error: there is no command 'draw': commands are generate, ")


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_options_and_run(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _ = VERBS[verb]
    assert find_spec(module)
    assert callable(import_module(module).run)
    assert main([verb, "--help"]) == 0
    assert f"usage: mezzotint {verb}" in capsys.readouterr().out


def test_an_interruption_has_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_dispatch", interrupted)
    assert main(["generate"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


_ABORTS_AT_ITS_END = """
import os, sys
from mezzotint.cli.main import program
class Abort:
    def __del__(self): os.abort()  # as a native thread may, once the interpreter is torn down
abort = Abort()
print("said before", flush=False)
sys.modules["daft"] = sys
sys.argv = ["mezzotint", *sys.argv[1:]]
program()
"""


@pytest.mark.parametrize(("verb", "code"), [("draw", 2), ("--version", 0)])
def test_an_abort_at_the_end_of_the_process_changes_no_exit_code(verb: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", _ABORTS_AT_ITS_END, verb], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout.startswith("said before")


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def defective(arguments: list[str]) -> int:
        return 1 // 0

    monkeypatch.setattr(cli, "_dispatch", defective)
    with pytest.raises(ZeroDivisionError):
        main(["generate"])


def test_a_closed_pipe_has_no_traceback(tmp_path: Path) -> None:
    many = {f"tensor.{i}": torch.zeros(1) for i in range(5000)}  # more lines than a pipe holds
    bundle.write_weights(tmp_path, many)
    command = [sys.executable, "-m", "mezzotint", "inspect", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert "5000 tensors" in run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == ""
    assert run.returncode == 141


@pytest.mark.parametrize("verb", ["inspect", "models"])  # plain lines, and a table
def test_so_has_one_that_is_closed_before_a_short_output(verb: str, tmp_path: Path) -> None:
    """What fits into Python's own buffer is written at the end."""
    bundle.write_weights(tmp_path, {"tensor": torch.zeros(1)})
    command = [sys.executable, "-m", "mezzotint", verb, *([str(tmp_path)] if verb == "inspect" else [])]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, env=buffered)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_the_module_runs() -> None:
    done = subprocess.run([sys.executable, "-m", "mezzotint", "nope"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no command 'nope'")
