"""Which licence a file of a Debian package has, by the package's machine-readable copyright file."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from mezzotint.errors import MissingFileError

# Debian's short names, where SPDX has others.
_SPDX = {"public-domain": "LicenseRef-public-domain", "GPL-3+": "GPL-3.0-or-later", "Expat": "MIT"}


class Terms(NamedTuple):
    """A licence (SPDX) and whom to credit."""

    licence: str
    credit: str


class DebianCopyright:
    """The paragraphs of `debian/copyright`, format 1.0: of those that match a path, the last one holds."""

    def __init__(self, file: Path) -> None:
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError as cause:
            raise MissingFileError(f"{file} is missing: fetch its package again") from cause
        self._paragraphs = [
            (fields["files"].split(), _terms(fields))
            for fields in map(_fields, text.split("\n\n"))
            if "files" in fields and "license" in fields
        ]

    def terms(self, path: str) -> Terms:
        """Of a file by its path in the source package."""
        return [terms for patterns, terms in self._paragraphs if any(fnmatchcase(path, one) for one in patterns)][-1]


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, list[str]] = {}
    name = ""
    for line in paragraph.splitlines():
        if line.startswith((" ", "\t")) and name:
            fields[name].append(line.strip())
        elif ":" in line and not line.startswith("#"):
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = [value.strip()]
    return {name: "\n".join(lines) for name, lines in fields.items()}


def _terms(fields: dict[str, str]) -> Terms:
    licence = fields["license"].splitlines()[0]
    credit = " ".join(fields.get("copyright", "").split())
    return Terms(_SPDX.get(licence, licence), credit)
