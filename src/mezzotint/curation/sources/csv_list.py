"""A CSV list of pictures: a column `path`, and `caption` where there are captions."""

import csv
import io
from collections.abc import Iterator
from pathlib import PurePosixPath

import fsspec

from mezzotint.curation.sources.files import Entry, Place
from mezzotint.errors import FileFormatError

_MOST = 1 << 20  # characters of one cell


def csv_entries(listed: Place) -> Iterator[Entry]:
    """The listed pictures; a path is absolute, a URL, or relative to the list's folder.

    Raises FileFormatError for a list without the column `path`, or one that is no CSV in UTF-8.
    """
    csv.field_size_limit(_MOST)
    try:
        rows = csv.DictReader(io.StringIO(listed.read().decode("utf-8-sig"), newline=""), strict=True)
        if "path" not in (rows.fieldnames or ()):
            raise FileFormatError(f"{listed.url} has no column `path`: name it in the first line")
        for row in rows:
            yield _entry(row["path"] or "", row.get("caption"), listed)
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileFormatError(f"{listed.url} is not a CSV list in UTF-8 ({error}): write it again") from error


def _entry(path: str, caption: str | None, listed: Place) -> Entry:
    url = path if "://" in path else str(PurePosixPath(listed.url).parent / path)
    if "://" in listed.url and "://" not in path:
        protocol, _, folder = listed.url.rpartition("/")[0].partition("://")
        url = f"{protocol}://{PurePosixPath(folder) / path}"
    try:
        fs, name = fsspec.url_to_fs(url)
        place = Place.of(fs, name)
        reason = None if fs.isfile(name) else "not a regular file"
    except (OSError, ValueError, ImportError) as error:
        place = Place(url=url, size=0, changed="")
        reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    return Entry(id=path, place=place, caption=caption, reason=reason)
