import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.fixtures import small_packages

from mezzotint.data.records import read_records
from mezzotint.synthesis import builder

ROWS = 8
SCENES = 24
BUILD = f"""
from pathlib import Path
from tests.fixtures import small_packages
from mezzotint.synthesis import builder
if __name__ == "__main__":
    folder = Path({{folder!r}})
    builder.build(folder, small_packages.parts(folder, {{scenes}}), workers={{workers}}, rows_per_shard={ROWS})
"""


def build(folder: Path, **options: object) -> dict[str, object]:
    parts = small_packages.parts(folder, SCENES)
    return builder.build(folder, parts, workers=1, rows_per_shard=ROWS, **options)  # type: ignore[arg-type]


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    build(folder)
    return folder


def test_a_corpus_has_shards_manifests_and_a_summary(whole: Path) -> None:
    assert set(digests(whole)) == {
        "summary.json",
        "sprites/manifest.jsonl",
        "scenes/manifest.jsonl",
        *(f"sprites/{builder.shard_name(number)}" for number in range(9)),
        *(f"scenes/{builder.shard_name(number)}" for number in range(3)),
    }
    for part, rows in (("sprites", 72), ("scenes", SCENES)):
        lines = [json.loads(line) for line in (whole / part / builder.MANIFEST).read_text().splitlines()]
        assert sum(line["rows"] for line in lines) == rows
        for line in lines:
            assert line["sha256"] == hashlib.sha256((whole / part / line["name"]).read_bytes()).hexdigest()
    assert len({record.id for record in read_records(whole)}) == 72 + SCENES


def test_the_summary_counts_every_source_of_a_picture(whole: Path) -> None:
    summary = json.loads((whole / builder.SUMMARY).read_text())
    assert summary["rows"] == 72 + SCENES
    assert summary["rows_by_part"] == {"scenes": SCENES, "sprites": 72}
    assert sum(summary["rows_by_split"].values()) == 72 + SCENES
    sources = {source["source"]: source for source in summary["sources"]}
    assert sources["@iconify-json/twemoji@1.2.5"]["licence"] == "CC-BY-4.0"
    assert "Twitter" in sources["@iconify-json/twemoji@1.2.5"]["credit"]
    assert not any(" + " in source for source in sources)


def test_a_stopped_build_goes_on_to_the_same_files(whole: Path, tmp_path: Path) -> None:
    for stop_after in (1, 4, 10):
        seen = 0

        def stop(rows: int, stop_after: int = stop_after) -> None:
            nonlocal seen
            seen += 1
            if seen == stop_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            build(tmp_path, on_rows=stop)
    (tmp_path / "sprites" / f".{builder.shard_name(3)}.999.partial").write_bytes(b"half a shard")
    build(tmp_path)
    assert digests(tmp_path) == digests(whole)


def test_what_is_whole_is_kept_and_what_is_not_is_made_again(whole: Path, tmp_path: Path) -> None:
    build(tmp_path)
    changed = tmp_path / "sprites" / builder.shard_name(2)
    changed.write_bytes(changed.read_bytes()[:-100])
    missing = tmp_path / "scenes" / builder.shard_name(1)
    missing.unlink()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    build(tmp_path)
    assert digests(tmp_path) == digests(whole)
    made = {path for path in tmp_path.rglob("*.parquet") if before.get(path) != path.stat().st_mtime_ns}
    assert made == {changed, missing}


def test_a_smaller_build_leaves_no_old_shards(whole: Path, tmp_path: Path) -> None:
    builder.build(tmp_path, small_packages.parts(tmp_path, SCENES + 20), workers=1, rows_per_shard=ROWS)
    build(tmp_path)
    assert digests(tmp_path) == digests(whole)


def test_another_seed_makes_other_scenes_and_keeps_the_sprites(whole: Path, tmp_path: Path) -> None:
    build(tmp_path)
    builder.build(tmp_path, small_packages.parts(tmp_path, SCENES, seed=1), workers=1, rows_per_shard=ROWS)
    ours, others = digests(tmp_path), digests(whole)
    for name in ours:
        if name.endswith(".parquet"):
            assert (ours[name] == others[name]) == name.startswith("sprites")


def test_more_scenes_begin_with_the_same(whole: Path, tmp_path: Path) -> None:
    builder.build(tmp_path, small_packages.parts(tmp_path, SCENES + 4), workers=1, rows_per_shard=ROWS)
    ours, others = digests(tmp_path), digests(whole)
    assert all(ours[name] == others[name] for name in others if name.endswith(".parquet"))


def start(folder: Path, workers: int, scenes: int = SCENES) -> "subprocess.Popen[bytes]":
    script = folder.with_suffix(".py")
    script.write_text(BUILD.format(folder=str(folder), workers=workers, scenes=scenes))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen([sys.executable, str(script)], env=environment)


def test_several_processes_make_the_same_files(whole: Path, tmp_path: Path) -> None:
    assert start(tmp_path / "two", workers=2).wait(timeout=120) == 0
    assert digests(tmp_path / "two") == digests(whole)


@pytest.mark.slow
def test_a_killed_build_goes_on_to_the_same_files(tmp_path: Path) -> None:
    """Killed with SIGKILL three times, at moments between start and end; its workers end with it."""
    reference, folder, scenes = tmp_path / "reference", tmp_path / "killed", 400
    began = time.monotonic()
    assert start(reference, workers=2, scenes=scenes).wait(timeout=300) == 0
    duration = time.monotonic() - began
    moments = random.Random(0)
    for _ in range(3):
        process = start(folder, workers=2, scenes=scenes)
        time.sleep(moments.uniform(0.3, 0.7) * duration)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start(folder, workers=2, scenes=scenes).wait(timeout=300) == 0
    assert digests(folder) == digests(reference)
