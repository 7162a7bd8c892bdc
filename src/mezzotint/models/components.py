"""One component of a model, from whatever people have: a published folder, or a file in any format and dialect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.bundle import open_files, read_json
from mezzotint.models.dialects import Recognized, guess, qwen2_5_vl, qwen2_5_vl_vision, recognize, require
from mezzotint.models.formats import StoredTensor, open_weights
from mezzotint.models.published_config import check_sizes

JOINT = "visual.merger.mlp.2.weight"  # from the width of a vision tower to that of its language model
CONFIG = "mezzotint.config"  # where a file of ours notes the config.json that its network had


@dataclass(frozen=True)
class Component:
    """What a network is built from.

    Attributes:
        path: The folder or file, for complaints. config: The content of its `config.json`.
        tensors: Under the published names, unread.
    """

    path: Path
    config: dict[str, Any]
    tensors: dict[str, StoredTensor]

    @property
    def config_path(self) -> Path:
        """The file that its configuration is from."""
        return self.path / "config.json" if self.path.is_dir() else self.path


def open_component(path: Path, component: str, variant: str | None = None) -> Component:
    """The component (transformer, vae, text_encoder) that a folder or a single file holds; nothing is read yet.

    A file's sizes are those that it notes, or else what the shapes of its tensors tell.

    Raises:
        MissingFileError: A file is missing.
        FileFormatError: A file is broken, or holds no such component; the message says what it seems to be.
    """
    if not path.exists():
        raise MissingFileError(f"{path} is missing")
    if not path.is_file():
        config = read_json(path / "config.json")
        stored = open_files(path, variant)
        own = [found for found in recognize(stored) if found.dialect.component == component]
        with naming(path / "config.json"):
            check_sizes(config, len(stored))
        return Component(path, config, own[0].published if own else stored)
    file = open_weights(path)
    found = require(file.tensors, component, path)
    with naming(path):
        published = found.published | _vision_beside(path, found)
        config = _noted(file.metadata) or found.dialect.config(published)
        check_sizes(config, len(published))
        return Component(path, config, published)


def _vision_beside(path: Path, text: Recognized) -> dict[str, StoredTensor]:
    """The vision tower that belongs to a language model in llama.cpp's names: it lies in a file beside, its mmproj."""
    if text.dialect is not qwen2_5_vl.LLAMA or "token_embd.weight" not in text.tensors:
        return {}
    width = text.tensors["token_embd.weight"].shape[1:]
    for beside in sorted(path.parent.glob("*mmproj*.gguf")):
        for found in recognize(open_weights(beside).tensors):
            joint = found.published.get(JOINT)
            if found.dialect is qwen2_5_vl_vision.LLAMA and joint is not None and joint.shape[:1] == width:
                return found.published
    return {}


def _noted(metadata: Mapping[str, str]) -> dict[str, Any] | None:
    """The configuration in a file's own notes."""
    if CONFIG not in metadata:
        return None
    try:
        config = json.loads(metadata[CONFIG])
    except (ValueError, RecursionError) as cause:
        raise FileFormatError(f"its note {CONFIG} is not valid JSON") from cause
    if not isinstance(config, dict):
        raise FileFormatError(f"its note {CONFIG} is not an object")
    return config


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before a complaint about its content."""
    try:
        yield
    except FileFormatError as cause:
        raise cause if str(path) in str(cause) else FileFormatError(f"{path}: {cause}") from cause


@contextmanager
def explaining(component: Component) -> Iterator[None]:
    """Say of tensors that do not fit whose they are and, of a stranger's, what they seem to be."""
    try:
        yield
    except FileFormatError as cause:
        seems = "" if recognize(component.tensors) else f"; it seems to be {guess(component.tensors)}"
        named = str(cause) if str(component.path) in str(cause) else f"{component.path}: {cause}"
        raise FileFormatError(named + seems) from cause
