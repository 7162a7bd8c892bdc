import shutil
from pathlib import Path

import pytest

from mezzotint.errors import InputError
from mezzotint.runtime.made_of import keep_only

FILES = ("part-*.npy", "cells")


def fill(folder: Path) -> None:
    (folder / "cells").mkdir(exist_ok=True)
    for name in ("part-0.npy", "mine.txt", ".part-1.npy.77.partial"):
        (folder / name).write_text("x")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_made_of_the_same_stays_and_of_something_else_goes(tmp_path: Path) -> None:
    keep_only(tmp_path, {"source": "a", "k": 3}, FILES)
    fill(tmp_path)
    keep_only(tmp_path, {"source": "a", "k": 3}, FILES)
    assert names(tmp_path) == {"made_of.json", "cells", "part-0.npy", "mine.txt"}
    keep_only(tmp_path, {"source": "a", "k": 4}, FILES)
    assert names(tmp_path) == {"made_of.json", "mine.txt"}


def test_a_broken_note_vouches_for_nothing(tmp_path: Path) -> None:
    for broken in (b"", b"{", b"\xff"):
        keep_only(tmp_path, {"k": 1}, FILES)
        fill(tmp_path)
        (tmp_path / "made_of.json").write_bytes(broken)
        keep_only(tmp_path, {"k": 1}, FILES)
        assert names(tmp_path) == {"made_of.json", "mine.txt"}


def test_files_without_a_note_are_somebody_elses(tmp_path: Path) -> None:
    fill(tmp_path)
    before = names(tmp_path)
    with pytest.raises(InputError, match=r"holds cells, and no made_of\.json says what that was made of"):
        keep_only(tmp_path, {"k": 1}, FILES)
    assert names(tmp_path) == before


def test_what_a_kill_leaves_is_cleared_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_only(tmp_path, {"k": 1}, FILES)
    fill(tmp_path)

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            keep_only(tmp_path, {"k": 2}, FILES)
    assert (tmp_path / "made_of.json").read_text() == ""
    assert (tmp_path / "cells").is_dir()
    keep_only(tmp_path, {"k": 1}, FILES)
    assert names(tmp_path) == {"made_of.json", "mine.txt"}
