import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.curation.profiling.pictures import blurred, detailed, encoded, noisy, smooth

from mezzotint.cli.main import main
from mezzotint.curation.curate import DEFAULT_RULES, curate
from mezzotint.curation.sources import Origin
from mezzotint.data.record_pictures import decode
from mezzotint.data.records import read_records
from mezzotint.errors import InputError
from mezzotint.synthesis.splits import split_of

GOOD = {f"good-{seed}": detailed((400, 320), seed) for seed in range(6)}
ORIGIN = Origin(source="test", licence="CC0-1.0", credit="nobody")


def planted() -> dict[str, tuple[bytes, str]]:
    """By name: a file, and the stage that must drop it ("": none)."""
    first = detailed((800, 640), 50)
    files = {f"{name}.png": (encoded(picture), "") for name, picture in GOOD.items()}
    files |= {
        "a.png": (encoded(first), ""),
        "copy/same.png": (encoded(first), "duplicates"),
        "copy/small.jpg": (encoded(first.resize((400, 320)), "JPEG", quality=70), "duplicates"),
        "empty.png": (b"", "profile"),
        "half.jpg": (encoded(first, "JPEG")[:9000], "profile"),
        "moving.webp": (encoded(first, "WEBP", save_all=True, append_images=[first.rotate(180)]), "frames"),
        "an.gif": (encoded(first, "GIF"), "format"),
        "tiny.png": (encoded(detailed((100, 80), 51)), "short_side"),
        "strip.png": (encoded(detailed((1500, 300), 52)), "aspect"),
        "blocks.jpg": (encoded(detailed((500, 400), 53), "JPEG", quality=5), "blockiness"),
        "dark.png": (encoded(detailed((500, 400), 54).point(lambda level: level // 12)), "luma"),
        "red.png": (encoded(_tinted(detailed((500, 400), 55))), "colour_cast"),
        "blurred.png": (encoded(blurred(detailed((500, 400), 56), 4)), "clarity"),
        "noisy.png": (encoded(noisy(smooth((500, 400), 57), 25)), "noise"),
    }
    return files


def _tinted(picture: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(picture) // 4 + np.array([160, 40, 10])).astype(np.uint8))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for name, (content, _) in planted().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "good-0.txt").write_text("coloured squares")
    return folder


@pytest.fixture(scope="module")
def out(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    curate(str(source), folder, origin=ORIGIN, rules=DEFAULT_RULES, workers=2)
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_planted_defect_is_dropped_by_its_stage_and_nothing_else_is(out: Path) -> None:
    kept = {record.id for record in read_records(out)}
    assert kept == {name for name, (_, stage) in planted().items() if not stage}
    stages = {
        stage["name"]: stage["seen"] - stage["kept"]
        for stage in json.loads((out / "report.json").read_text())["stages"]
    }
    expected = [stage for _, stage in planted().values() if stage]
    assert {name: count for name, count in stages.items() if count} == {name: expected.count(name) for name in expected}


def test_the_clean_set_is_a_corpus_that_training_reads(source: Path, out: Path) -> None:
    records = {record.id: record for record in read_records(out)}
    record = records["good-0.png"]
    assert record.picture == (source / "good-0.png").read_bytes()
    assert np.array_equal(np.asarray(decode(record, out)), np.asarray(GOOD["good-0"]))
    assert (record.width, record.height, record.sha256) == (400, 320, hashlib.sha256(record.picture).hexdigest())
    assert [(caption.kind, caption.text) for caption in record.captions] == [("alt", "coloured squares")]
    assert (record.source, record.licence, record.credit) == ("test", "CC0-1.0", "nobody")
    assert record.measures["short_side"] == 320
    assert record.measures["clarity"] > 1
    assert {name: record.split for name, record in records.items()} == {name: split_of(name) for name in records}


def test_dead_letters_name_each_file_and_its_reason(out: Path) -> None:
    letters = {
        letter["id"]: letter for letter in map(json.loads, (out / "dead-letters.jsonl").read_text().splitlines())
    }
    assert set(letters) == {"empty.png", "half.jpg"}
    assert letters["empty.png"]["reason"] == "an empty file"
    assert letters["half.jpg"]["reason"]


def test_a_rerun_makes_nothing_and_changes_nothing(source: Path, out: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    contents = digests(out)
    curate(str(source), out, origin=ORIGIN, rules=DEFAULT_RULES, workers=1)
    assert digests(out) == contents
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == before


def test_other_limits_do_not_measure_again(source: Path, out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "copy")
    profile = tmp_path / "copy" / "passes" / "profile" / "00000.parquet"
    before = profile.stat().st_mtime_ns
    arguments = ["--input", str(source), "--out", str(tmp_path / "copy"), "--source", "test", "--licence", "CC0-1.0"]
    assert main(["curate", "run", *arguments, "--credit", "nobody", "--limits", "clarity=..,noise=.."]) == 0
    assert profile.stat().st_mtime_ns == before
    kept = {record.id for record in read_records(tmp_path / "copy")}
    assert {"blurred.png", "noisy.png"} <= kept


def test_an_output_is_an_input(out: Path, tmp_path: Path) -> None:
    funnel = curate(str(out), tmp_path, origin=Origin(source="other"), rules=DEFAULT_RULES, workers=1)
    assert list(read_records(tmp_path)) == list(read_records(out))
    assert funnel.kept == funnel.pictures == len(list(read_records(out)))
    assert (tmp_path / "dead-letters.jsonl").read_text() == ""


def test_an_output_inside_of_the_input_is_refused(source: Path) -> None:
    for inside in (source, source / "copy" / "clean"):
        with pytest.raises(InputError, match="lies inside of the input"):
            curate(str(source), inside, origin=ORIGIN, rules=DEFAULT_RULES, workers=1)


@pytest.mark.parametrize("part", ["curated", "curated/records-00000.parquet", "passes/profile"])
def test_an_input_that_the_output_would_replace_is_refused(tmp_path: Path, part: str) -> None:
    for url in (str(tmp_path / part), f"file://{tmp_path / part}"):
        with pytest.raises(InputError, match="is a part of the output"):
            curate(url, tmp_path, origin=ORIGIN, rules=DEFAULT_RULES, workers=1)
    with pytest.raises(InputError, match="lies inside of the input"):
        curate(f"file://{tmp_path}", tmp_path / "out", origin=ORIGIN, rules=DEFAULT_RULES, workers=1)


def test_a_full_disk_is_one_clear_line(source: Path, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    command = [sys.executable, "-m", "mezzotint", "curate", "run", "--input", str(source), "--out", str(tmp_path)]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: cannot write ")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0])
def test_ctrl_c_ends_it_at_any_moment(source: Path, tmp_path: Path, seconds: float) -> None:
    """It goes to the workers too, as from a terminal."""
    command = [sys.executable, "-m", "mezzotint", "curate", "run", "--input", str(source), "--out", str(tmp_path)]
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
    try:
        _, said = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0 or "interrupted" in said or "KeyboardInterrupt" in said
    assert process.returncode in (0, 130, -signal.SIGINT)


def write_many(folder: Path, count: int) -> Path:
    """Soft pictures with a few squares; every tenth is a copy of the one before it, every fiftieth is cut off."""
    folder.mkdir()
    data = b""
    for number in range(count):
        if number % 10 != 9:
            rng = np.random.default_rng(number)
            picture = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((288, 264))
            for left, top, side in rng.integers(8, 250, (12, 3)):
                picture.paste(tuple(rng.integers(0, 256, 3).tolist()), (left, top, left + side // 3, top + side // 3))
            data = encoded(picture, "JPEG", quality=90)
        (folder / f"{number:05d}.jpg").write_bytes(data[: len(data) // 2] if number % 50 == 25 else data)
    return folder


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_files(tmp_path: Path) -> None:
    source = write_many(tmp_path / "many", 5000)
    command = [sys.executable, "-m", "mezzotint", "curate", "run", "--input", str(source), "--source", "test"]
    subprocess.run([*command, "--out", str(tmp_path / "whole"), "--workers", "2"], check=True, capture_output=True)
    command += ["--out", str(tmp_path / "out"), "--workers", "2"]
    moments, kills = random.Random(0), 0
    while kills < 20:
        process = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(moments.uniform(2.0, 12.0))
            shutil.rmtree(tmp_path / "out")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    subprocess.run(command, check=True, capture_output=True)
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")
    kept = json.loads((tmp_path / "out" / "report.json").read_text())["kept"]
    assert 4000 < kept < 4500
