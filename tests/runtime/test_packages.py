import hashlib
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mezzotint.errors import PackageError
from mezzotint.runtime import packages
from mezzotint.runtime.packages import Package, fetch


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "art.txt").write_text("a picture")
    path = tmp_path / "art-1.0.tgz"
    with tarfile.open(path, "w:gz") as opened:
        opened.add(tmp_path / "art.txt", "package/art.txt")
    monkeypatch.setattr(packages, "_download", lambda package, scratch: path)
    return path


def package(sha256: str) -> Package:
    return Package(kind="npm", name="@some/art", version="1.0", sha256=sha256, licence="MIT", credit="Somebody")


def test_the_pinned_archive_is_extracted_once(archive: Path) -> None:
    pinned = package(hashlib.sha256(archive.read_bytes()).hexdigest())
    folder = fetch(pinned)
    assert (folder / "package/art.txt").read_text() == "a picture"
    archive.unlink()
    assert fetch(pinned) == folder


def test_another_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="pinned is 00"):
        fetch(package("00"))
    assert not list((tmp_path / "cache").rglob("art.txt"))


def test_whoever_needs_it_at_once_waits_for_the_first(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = package(hashlib.sha256(archive.read_bytes()).hexdigest())
    extract, extracted = packages._extract, []

    def slowly(archive: Path, folder: Path) -> None:
        extracted.append(folder)
        time.sleep(0.2)
        extract(archive, folder)

    monkeypatch.setattr(packages, "_extract", slowly)
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: fetch(pinned), range(4)))
    assert len(extracted) == 1
    assert {(folder / "package/art.txt").read_text() for folder in folders} == {"a picture"}
