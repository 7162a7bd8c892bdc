"""From a path or URL to the shards of what lies there."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import fsspec

from mezzotint.curation.runner import Shard
from mezzotint.curation.sources.csv_list import csv_entries
from mezzotint.curation.sources.files import Entry, Place, printable, shards
from mezzotint.curation.sources.parquet import parquet_shards
from mezzotint.curation.sources.rows import Origin
from mezzotint.curation.sources.tar import tar_entries
from mezzotint.errors import InputError, MissingFileError

SIDECARS = (".txt", ".json")  # a caption and what else is known, beside a picture of the same name


def open_input(url: str, origin: Origin) -> list[Shard]:
    """The shards of a folder, a `.csv`, a `.tar` or a `.parquet`; a folder may hold the last two among its pictures.

    Of a corpus (`*/records-*.parquet`) the records are read alone. Hidden files are no part of a folder. Everything
    else in it is taken for a picture, whatever its name.

    Raises MissingFileError where nothing is there, InputError for a URL that cannot be opened, an empty folder or an
    input without pictures, FileFormatError for a list or a Parquet file that cannot be read.
    """
    try:
        fs, path = fsspec.url_to_fs(url)
        found = fs.find(path, detail=True) if fs.isdir(path) else {path: fs.info(path)} if fs.exists(path) else None
    except (ValueError, ImportError, OSError) as error:
        raise InputError(f"input {url!r} cannot be opened: {error}") from error
    if found is None:
        raise MissingFileError(f"input {url!r} does not exist: name a folder, a .csv, a .tar or a .parquet")
    single = path in found
    root = str(PurePosixPath(path).parent) if single else path
    files = {
        name: Place.of(fs, name, info) for name, info in sorted(found.items()) if single or not _hidden(name, root)
    }
    if not files:
        raise InputError(f"input {url!r} is an empty folder: put pictures, tars or Parquet files there")
    if not single:
        files = {name: place for name, place in files.items() if _is_of_corpus(name, root)} or files
    no_files = {
        name for name in files if found[name].get("type") != "file" and not fs.isfile(name)
    }  # a link may be one
    found_shards = list(_shards(files, no_files, root, single, origin))
    if not any(shard.rows for shard in found_shards):
        raise InputError(f"input {url!r} holds no pictures: name a folder, a list, a tar or a Parquet file with some")
    return found_shards


def _shards(files: dict[str, Place], no_files: set[str], root: str, single: bool, origin: Origin) -> Iterator[Shard]:
    pictures = {name: place for name, place in files.items() if not name.endswith((".tar", ".parquet"))}
    if single and next(iter(files)).endswith(".csv"):
        yield from shards(list(csv_entries(next(iter(files.values())))), origin)
        return
    stems = {_stem(name) for name in pictures if not name.endswith(SIDECARS)}
    entries = [
        Entry(
            id=_id(name, root),
            place=place,
            caption=pictures.get(_stem(name) + ".txt"),
            reason="not a regular file" if name in no_files else None,
        )
        for name, place in pictures.items()
        if not (name.endswith(SIDECARS) and _stem(name) in stems)
    ]
    yield from shards(entries, origin)
    for name, place in files.items():
        if name.endswith(".tar"):
            yield from shards(list(tar_entries(place, _id(name, root))), origin)
        elif name.endswith(".parquet"):
            yield from parquet_shards(place, _id(name, root), origin)


def _id(name: str, root: str) -> str:
    return printable(name.removeprefix(root).lstrip("/"))


def _is_of_corpus(name: str, root: str) -> bool:
    """Whether it is `<part>/records-*.parquet` in the folder, as in a corpus."""
    parts = PurePosixPath(_id(name, root)).parts
    return len(parts) == 2 and parts[1].startswith("records-") and parts[1].endswith(".parquet")


def _hidden(name: str, root: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name.removeprefix(root)).parts)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] if "." in PurePosixPath(name).name else name


def last_part(url: str) -> str:
    """What an input is called when nothing else names it: the last part of its path."""
    return PurePosixPath(Path(url).resolve().as_posix() if "://" not in url else url).name or url
