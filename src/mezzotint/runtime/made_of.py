"""A folder's note of what its files are made of, so that none outlives its source or the settings."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mezzotint.runtime import atomic

NAME = "made_of.json"


def keep_only(folder: Path, made_of: Mapping[str, Any], files: Iterable[str]) -> None:
    """Remove what was made of something else, and what killed writers left.

    Args:
        files: Patterns of what is made of `made_of` in the folder.

    Raises OutputError for a folder that cannot be written.
    """
    note, text = folder / NAME, json.dumps(made_of, indent=2) + "\n"
    same = note.is_file() and note.read_text(errors="replace") == text
    # The note goes first: what a kill leaves of the rest must not be taken for whole.
    made = () if same else (NAME, *files)
    for pattern in (*made, ".*.partial"):
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if not same:
        atomic.write_text(note, text)
