import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.curation.small_stages import Length, Odd, png, write_pictures

from mezzotint.curation import runner, tables
from mezzotint.curation.sources import Origin, files, open_input
from mezzotint.errors import InputError, OutputError

RUN = """
import sys
from pathlib import Path
from tests.curation.small_stages import Length, Odd
from mezzotint.curation.runner import run_pass
from mezzotint.curation.sources import Origin, files, open_input
if __name__ == "__main__":
    files.ROWS_PER_SHARD = 4
    source, out, log = map(Path, sys.argv[1:])
    stages = [Length(log=log, seconds=0.05), Odd()]
    run_pass(out, open_input(str(source), Origin(source="test")), "read", stages, workers=2)
"""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROWS_PER_SHARD", 4)


def run(source: Path, out: Path, log: Path | None = None, most: int = 1 << 30) -> list[int]:
    """The numbers of rows that were still missing, then of each shard that was made."""
    seen: list[int] = []

    @contextmanager
    def progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
        assert description == out.name
        seen.append(total)
        yield seen.append

    shards = open_input(str(source), Origin(source="test"))
    stages = [Length(most=most, log=log), Odd()]
    runner.run_pass(out, shards, "read", stages, workers=2, progress=progress)
    return seen


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("source"), 14)


@pytest.fixture
def whole(source: Path, tmp_path: Path) -> Path:
    run(source, tmp_path / "whole")
    return tmp_path / "whole"


def test_every_row_of_every_shard_is_there_once(whole: Path) -> None:
    rows = [
        row for path in sorted(whole.glob("*.parquet")) for batch in tables.batches(path) for row in batch.to_pylist()
    ]
    assert [row["id"] for row in rows] == [f"{number:03d}.png" for number in range(14)]
    assert [row["dropped_by"] for row in rows] == [None, "odd"] * 7
    assert [row["length"] for row in rows] == [len(png(number)) for number in range(14)]


def test_the_manifest_names_input_output_and_stages(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / runner.MANIFEST).read_text().splitlines()]
    assert [line["name"] for line in lines] == [f"{number:05d}.parquet" for number in range(4)]
    assert [line["rows"] for line in lines] == [4, 4, 4, 2]
    for line in lines:
        assert line["sha256"] == digests(whole)[line["name"]]
        assert line["stages"] == {"length": str(1 << 30), "odd": "1"}
    assert len({line["input"] for line in lines}) == 4


def test_what_is_done_is_not_done_again(source: Path, whole: Path, tmp_path: Path) -> None:
    before, log = digests(whole), tmp_path / "log"
    assert run(source, whole, log) == [0]
    assert not log.exists()
    assert digests(whole) == before


def test_a_changed_picture_and_a_broken_table_are_made_again_and_no_other(tmp_path: Path) -> None:
    source, out, log = write_pictures(tmp_path / "source", 14), tmp_path / "out", tmp_path / "log"
    run(source, out)
    (source / "005.png").write_bytes(png(5, size=(90, 90)))
    broken = out / "00003.parquet"
    broken.write_bytes(broken.read_bytes()[:-50])
    run(source, out, log)
    assert sorted(log.read_text().split()) == [f"{number:03d}.png" for number in (4, 5, 6, 7, 12, 13)]


def test_another_version_of_a_stage_does_everything_again(source: Path, whole: Path) -> None:
    missing, *made = run(source, whole, most=70)
    assert (missing, sorted(made)) == (14, [2, 4, 4, 4])


def test_a_smaller_input_leaves_no_old_tables(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(write_pictures(tmp_path / "source", 14), out)
    (out / ".00009.parquet.77.partial").write_bytes(b"half")
    for number in range(8, 14):
        (tmp_path / "source" / f"{number:03d}.png").unlink()
    run(tmp_path / "source", out)
    assert set(digests(out)) == {"00000.parquet", "00001.parquet", runner.MANIFEST}


def test_stages_that_do_not_fit_together_are_found_before_any_work(source: Path, tmp_path: Path) -> None:
    shards = open_input(str(source), Origin(source="test"))
    with pytest.raises(InputError, match="stage 'odd' reads 'length'"):
        runner.run_pass(tmp_path / "out", shards, "read", [Odd()], workers=1)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_clear_line(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match=r"cannot write .*out"):
        run(source, tmp_path / "out")


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_files_and_makes_no_table_twice(tmp_path: Path) -> None:
    source, out, log = write_pictures(tmp_path / "source", 200), tmp_path / "out", tmp_path / "log"
    run(source, tmp_path / "whole")
    (tmp_path / "run.py").write_text(RUN)
    command = [sys.executable, str(tmp_path / "run.py"), str(source), str(out), str(log)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    moments, kills, made = random.Random(0), 0, Counter[str]()
    while kills < 20:
        process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(1.0, 4.0))
        if process.poll() is None:
            kills += 1
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        seen = Counter(log.read_text().split()) if log.exists() else Counter()
        assert all(seen[name] == times for name, times in made.items())
        tables_now = sorted(out.glob("*.parquet"))
        first_of = {path: next(tables.batches(path)).column("id")[0].as_py() for path in tables_now}
        made = Counter({name: seen[name] for name in first_of.values()})
        if len(tables_now) == 50:
            made.clear()
            log.unlink()
            shutil.rmtree(out)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert digests(out) == digests(tmp_path / "whole")
