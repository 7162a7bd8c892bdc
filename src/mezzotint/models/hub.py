"""Models by their hub id: fetched once into huggingface-hub's own cache, found there afterwards, offline too.

The cache's place and the offline switch are the library's (`HF_HOME`, `HF_HUB_CACHE`, `HF_HUB_OFFLINE`).
"""

from __future__ import annotations

import re
from pathlib import Path

from mezzotint.errors import UnknownModelError

ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FILES = ("*.json", "*.txt", "*.jinja", "*/*.json", "*/*.txt", "*/*.jinja", "*.md")


def is_hub_id(name: str) -> bool:
    """Whether it has the form `owner/name`."""
    return ID.fullmatch(name) is not None


def fetch(hub_id: str, revision: str | None = None, variant: str | None = None) -> Path:
    """The folder of a hub model in the cache, downloaded if it is not there; only configurations and safetensors.

    Raises:
        UnknownModelError: The hub does not have it, or cannot be reached and the cache does not have it either.
    """
    from huggingface_hub import constants, snapshot_download

    weights = "*/*.safetensors" if variant is None else f"*/*{variant}*.safetensors"
    at = f" at revision {revision!r}" if revision else ""
    try:
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=[*FILES, weights]))
    except (OSError, ValueError) as cause:  # the library's errors are of these two kinds
        offline = " (HF_HUB_OFFLINE is set)" if constants.is_offline_mode() else ""
        reason = str(cause).strip().split("\n")[0].split(". ")[0]
        raise UnknownModelError(
            f"model {hub_id!r}{at} is not in the cache and cannot be fetched{offline}: {reason}"
        ) from cause
