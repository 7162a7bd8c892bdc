"""Where downloads, corpora and runs lie."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$MEZZOTINT_CACHE`, or `~/.cache/mezzotint`. Nothing in it is needed twice: it can be removed at any time."""
    return Path(os.environ.get("MEZZOTINT_CACHE") or Path.home() / ".cache" / "mezzotint")
