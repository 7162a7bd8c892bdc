"""Reading the files of fetched packages."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from mezzotint.errors import FileFormatError, MissingFileError


@cache
def read_json(path: Path) -> Any:
    """A package's JSON file, read once."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise MissingFileError(f"{path} is missing: fetch its package again") from cause
    except ValueError as cause:
        raise FileFormatError(f"{path} is not readable JSON: fetch its package again") from cause
