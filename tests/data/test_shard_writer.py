import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mezzotint.data.buckets import Bucket
from mezzotint.data.manifest import Encoding
from mezzotint.data.records import Caption
from mezzotint.data.shard_writer import LatentFolderWriter
from mezzotint.data.shards import LatentShards
from mezzotint.errors import InputError

ENCODING = Encoding(
    models={"vae": "aa", "text_encoder": "bb"}, channels=2, downscale=8, caption_dim=3, options={"variants": 1}
)
EMPTY = torch.zeros(2, 3)
NAMES = [f"part-{number:05d}" for number in range(12)]


def fill(out: Path, names: list[str] = NAMES, pause: float = 0.0) -> list[str]:
    """Write what is missing; returns what was written. A pause stands for the work between two writes."""
    writer = LatentFolderWriter(out, ENCODING, EMPTY, names)
    missing = [name for name in names if not writer.has(name, f"digest of {name}")]
    for name in missing:
        with writer.shard(name, f"digest of {name}") as shard:
            for index in range(3):
                value = float(NAMES.index(name) + index / 4)
                captions = [Caption("short", "en", f"{name} {index}"), Caption("long", "en", f"all of {name}")]
                shard.add_sample(
                    id=f"{name}/{index}",
                    split="train",
                    bucket=Bucket(16, 8 + 8 * (index % 2)),
                    latents=torch.full((2, 1 + index % 2, 2), value),
                    captions=captions,
                )
                time.sleep(pause)
            for text in shard.texts_without_features:
                shard.add_features(text, torch.full((len(text), 3), float(len(text))))
    return missing


def contents(folder: Path) -> dict[str, str]:
    """Every file and folder that is there, hidden ones too, with digests."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("whole")
    assert fill(folder) == NAMES
    LatentShards(folder).verify()
    return contents(folder)


def test_a_second_run_changes_nothing(tmp_path: Path, whole: dict[str, str]) -> None:
    fill(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert fill(tmp_path) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times
    assert contents(tmp_path) == whole


class Kill(BaseException):
    """Ends the writer at a chosen moment, as a signal would."""


@pytest.mark.parametrize("moment", range(9))
def test_wherever_a_write_stops_a_rerun_ends_the_same(
    tmp_path: Path, whole: dict[str, str], moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops at the nth rename: of the empty prompt, the manifest, a shard, … and skips the tidying up."""
    renames = iter(range(9))
    replace = os.replace

    def kill_at_moment(source: Path, target: Path) -> None:
        if next(renames) == moment:
            raise Kill
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", kill_at_moment)
        patch.setattr("os.getpid", lambda: 99999999)  # the rerun is another process
        patch.setattr("shutil.rmtree", lambda *args, **options: None)
        patch.setattr("pathlib.Path.unlink", lambda *args, **options: None)
        with pytest.raises(Kill):
            fill(tmp_path)
    assert contents(tmp_path) != whole
    fill(tmp_path)
    assert contents(tmp_path) == whole


def test_killed_at_random_moments_it_ends_the_same(tmp_path: Path, whole: dict[str, str]) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.data.test_shard_writer import fill\n"
        "print('ready', flush=True); fill(Path(sys.argv[1]), pause=0.01)"
    )
    out, moments = tmp_path / "out", random.Random(0)
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", script, out], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0.02, 0.25))
            process.kill()
        assert process.wait() == -signal.SIGKILL
    assert contents(out) != whole
    assert 0 < len(fill(out)) <= len(NAMES)
    assert contents(out) == whole


def test_a_changed_source_is_written_again(tmp_path: Path, whole: dict[str, str]) -> None:
    fill(tmp_path)
    writer = LatentFolderWriter(tmp_path, ENCODING, EMPTY, NAMES)
    assert not writer.has(NAMES[3], "another digest")
    with writer.shard(NAMES[3], "another digest"):
        assert not LatentFolderWriter(tmp_path, ENCODING, EMPTY, NAMES).manifest.complete
    shards = LatentShards(tmp_path)
    assert len(shards) == 3 * (len(NAMES) - 1)
    shards.verify()


def test_a_shard_that_failed_is_not_there(tmp_path: Path) -> None:
    writer = LatentFolderWriter(tmp_path, ENCODING, EMPTY, NAMES)
    latents = torch.full((2, 1, 1), 7e4)

    def write() -> None:
        with writer.shard(NAMES[0], "d") as shard:
            shard.add_sample(id="x", split="train", bucket=Bucket(8, 8), latents=latents, captions=[])

    with pytest.raises(InputError, match="'x' cannot be stored as float16: its largest number is 70000"):
        write()
    assert sorted(contents(tmp_path)) == ["empty.features", "manifest.json"]
    assert not writer.has(NAMES[0], "d")


def test_other_options_are_refused_and_named(tmp_path: Path) -> None:
    fill(tmp_path)
    before = contents(tmp_path)
    other = Encoding(**(vars(ENCODING) | {"options": {"variants": 2}, "models": {"vae": "cc", "text_encoder": "bb"}}))
    with pytest.raises(InputError, match="vae: aa there, cc asked for, variants: 1 there, 2 asked for"):
        LatentFolderWriter(tmp_path, other, EMPTY, NAMES)
    assert contents(tmp_path) == before


def test_shards_that_the_corpus_lost_are_not_kept_silently(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(InputError, match="holds part-00011, which the corpus does not"):
        LatentFolderWriter(tmp_path, ENCODING, EMPTY, NAMES[:-1])
