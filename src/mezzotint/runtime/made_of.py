"""A folder's note of what its files are made of, so that none outlives its source or the settings."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mezzotint.errors import InputError
from mezzotint.runtime import atomic

NAME = "made_of.json"


def keep_only(folder: Path, made_of: Mapping[str, Any], files: Iterable[str]) -> None:
    """Remove what was made of something else, and what killed writers left.

    Args:
        files: Patterns of what is made of `made_of` in the folder.

    Raises InputError for a folder that holds such files and no note, OutputError for one that cannot be written.
    """
    note, text = folder / NAME, json.dumps(made_of, indent=2) + "\n"
    same = note.is_file() and note.read_text(errors="replace") == text
    made = [] if same else sorted(path for pattern in files for path in folder.glob(pattern))
    if made and not note.is_file():
        found = made[0].relative_to(folder)
        raise InputError(f"{folder} holds {found}, and no {NAME} says what that was made of: name another folder")
    if made:
        # First of all: what a kill leaves of the rest must not be taken for whole, nor for somebody else's.
        atomic.write_text(note, "")
    for path in (*made, *folder.glob(".*.partial")):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if not same:
        atomic.write_text(note, text)
