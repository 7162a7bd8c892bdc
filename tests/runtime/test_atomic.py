import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mezzotint.errors import OutputError
from mezzotint.runtime import atomic


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    atomic.write_text(target, "old")

    def fail() -> None:
        with atomic.file(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with atomic.folder(target) as temporary:
        (temporary / "x").write_text("1")
        assert not target.exists()
    assert (target / "x").read_text() == "1"


def test_others_may_read_what_a_careful_library_wrote(tmp_path: Path) -> None:
    with atomic.file(tmp_path / "file") as temporary:
        temporary.touch(0o600)
    with atomic.folder(tmp_path / "folder") as temporary:
        (temporary / "file").touch(0o600)
    (tmp_path / "usual").touch()
    usual = (tmp_path / "usual").stat().st_mode
    assert {path.stat().st_mode for path in (tmp_path / "file", tmp_path / "folder" / "file")} == {usual}


def test_a_killed_writer_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from mezzotint.runtime import atomic\n"
        "with atomic.folder(Path(sys.argv[1])) as t: (t / 'x').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    target = tmp_path / "model"
    killed = subprocess.run([sys.executable, "-c", script, str(target)])
    assert killed.returncode == -signal.SIGKILL
    assert not target.exists()
    with atomic.folder(target) as temporary:
        (temporary / "x").write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_kill_while_a_folder_is_replaced_leaves_the_old_one(tmp_path: Path) -> None:
    """At each of the renamings and removals: after the next writer, even one that fails, a whole one is there."""
    script = (
        "import os, signal, sys; from pathlib import Path; from mezzotint.runtime import atomic\n"
        "left = [int(sys.argv[2])]\n"
        "def mortal(act):\n"
        "    def do(*given, **named):\n"
        "        left[0] -= 1\n"
        "        if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return act(*given, **named)\n"
        "    return do\n"
        "os.replace, atomic.shutil.rmtree = mortal(os.replace), mortal(atomic.shutil.rmtree)\n"
        "with atomic.folder(Path(sys.argv[1])) as t: (t / 'x').write_text('new')"
    )
    for moment in range(3):
        target = tmp_path / str(moment) / "model"
        with atomic.folder(target) as temporary:
            (temporary / "x").write_text("old")
        killed = subprocess.run([sys.executable, "-c", script, str(target), str(moment)])
        assert killed.returncode == -signal.SIGKILL
        with pytest.raises(KeyboardInterrupt), atomic.folder(target):
            raise KeyboardInterrupt
        assert (target / "x").read_text() == ("new" if moment == 2 else "old")
        assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_the_current_folder_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    with atomic.folder(Path()) as temporary:
        (temporary / "x").write_text("1")
    assert (tmp_path / "new" / "x").read_text() == "1"


def test_a_place_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atomic.check_place(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        with pytest.raises(OutputError, match="file is a file; choose another"):
            atomic.check_place(tmp_path / place)
    monkeypatch.setattr(atomic.os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="no permission"):
        atomic.check_place(tmp_path)


def test_an_unwritable_place_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        atomic.write_text(tmp_path / "file" / "below", "x")
