"""The same stages on Ray: a local cluster of two workers, one of which is killed in the middle."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.curation.small_stages import write_pictures

from mezzotint.cli.main import main
from mezzotint.curation.engine import use_cluster
from mezzotint.errors import InputError

RUN = """
import sys
from pathlib import Path
from tests.curation.small_stages import Length, Odd
from mezzotint.curation.engine import use_cluster
from mezzotint.curation.runner import run_pass
from mezzotint.curation.sources import Origin, files, open_input
if __name__ == "__main__":
    files.ROWS_PER_SHARD = 4
    source, out, log = map(Path, sys.argv[1:4])
    if len(sys.argv) > 4:
        use_cluster(sys.argv[4])
    stages = [Length(log=log, seconds=0.3), Odd()]
    run_pass(out, open_input(str(source), Origin(source="test")), "read", stages, workers=2)
"""


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def descendants(process: int) -> Iterator[tuple[int, str]]:
    """Ids and command lines of what a process has started, and of what those have."""
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield child, Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")
            yield from descendants(child)


def kill_a_worker(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Once the first pictures were seen; False when the run ended before."""
    while process.poll() is None:
        workers = [number for number, command in descendants(process.pid) if "ray::UDFActor" in command]
        if workers and log.exists():
            os.kill(workers[0], signal.SIGKILL)
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds Ray's workers in /proc")
def test_a_cluster_makes_the_same_files_though_a_worker_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="pip install -e '.[cluster]'")
    source = write_pictures(tmp_path / "source", 160)
    (tmp_path / "run.py").write_text(RUN)
    command = [sys.executable, str(tmp_path / "run.py"), str(source)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    subprocess.run([*command, str(tmp_path / "native"), str(tmp_path / "a")], env=environment, check=True)
    log = tmp_path / "b"
    process = subprocess.Popen([*command, str(tmp_path / "ray"), str(log), "local"], env=environment)
    assert kill_a_worker(process, log)
    assert process.wait(300) == 0
    assert digests(tmp_path / "ray") == digests(tmp_path / "native")


def test_without_ray_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    arguments = ["--input", str(tmp_path), "--out", str(tmp_path / "out"), "--cluster", "somewhere:6379"]
    assert main(["curate", "run", *arguments]) == 2
    assert "pip install -e '.[cluster]'" in capsys.readouterr().err


def test_a_cluster_that_is_not_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray itself takes half a minute to say so, in several lines."""

    def init(address: str, **settings: object) -> None:
        raise ConnectionError(f"Could not connect to {address}.\nIs it running?")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "")
    with pytest.raises(InputError, match=r"^no Ray cluster answers at 'somewhere:1': Could not connect to [^\n]*$"):
        use_cluster("somewhere:1")
