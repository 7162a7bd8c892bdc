from pathlib import Path

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


def test_a_note_that_is_missing_or_broken_vouches_for_nothing(tmp_path: Path) -> None:
    for broken in (None, b"{", b"\xff"):
        keep_only(tmp_path, {"k": 1}, FILES)
        fill(tmp_path)
        note = tmp_path / "made_of.json"
        note.unlink() if broken is None else note.write_bytes(broken)
        keep_only(tmp_path, {"k": 1}, FILES)
        assert names(tmp_path) == {"made_of.json", "mine.txt"}
