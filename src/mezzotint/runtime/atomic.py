"""Files and folders that are there whole or not at all.

A file is written under a temporary name beside its place, flushed to the disk, then renamed over it; a kill at any
moment leaves the old one.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mezzotint.errors import OutputError

_TEMPORARY, _ASIDE = ".partial", ".replaced"
_UMASK = os.umask(0o022)  # reading it means setting it
os.umask(_UMASK)


@contextmanager
def file(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it becomes `path` when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _share(temporary)
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as cause:
        if isinstance(cause, OutputError):
            raise
        raise OutputError(f"cannot write {path}: {cause.strerror or cause}") from cause
    finally:
        temporary.unlink(missing_ok=True) if path.parent.is_dir() else None


def write_bytes(path: Path, data: bytes) -> None:
    with file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill; it becomes `path` (replacing an older one) when the block ends without an error.

    An older one is put aside first. A kill between the two renamings leaves it aside; the next writer puts it back.
    """
    path = path.absolute()
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        clear_stale(path)
        temporary.mkdir(parents=True)
        yield temporary
        for written in temporary.rglob("*"):
            if written.is_file():
                _share(written)
            _flush(written)
        if path.exists():
            os.replace(path, _aside(path))
        os.replace(temporary, path)
        _flush(path.parent)
        shutil.rmtree(_aside(path), ignore_errors=True)
    except OSError as cause:
        if isinstance(cause, OutputError):
            raise
        raise OutputError(f"cannot write {path}: {cause.strerror or cause}") from cause
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_place(folder: Path) -> None:
    """Refuse early (OutputError), before hours of work, a place where no folder can be made or written to."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise OutputError(f"cannot make the folder {folder}: {there} is a file; choose another place")
    if not os.access(there, os.W_OK):
        raise OutputError(f"cannot write into the folder {there}: no permission; choose another place")


def clear_stale(path: Path) -> None:
    """Remove what killed writers of `path` left beside it; what the last one had put aside comes back."""
    aside = _aside(path)
    if aside.exists() and not path.exists():
        os.replace(aside, path)
    for stale in (*path.parent.glob(f".{path.name}.*{_TEMPORARY}"), *([aside] if aside.exists() else [])):
        shutil.rmtree(stale) if stale.is_dir() else stale.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}{_ASIDE}")


def _share(path: Path) -> None:
    """Give a file the rights of any new one: some libraries' writers let nobody but the owner read."""
    path.chmod(0o666 & ~_UMASK)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
