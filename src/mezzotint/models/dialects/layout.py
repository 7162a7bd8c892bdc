"""One way of naming a network's weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mezzotint.models.formats.stored import StoredTensor

Stored = Mapping[str, StoredTensor]
Rewrite = Callable[[Stored], dict[str, StoredTensor]]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The names of one network's weights as some program writes them.

    Attributes:
        component: Its place in a model folder: transformer, vae or text_encoder.
        network: What it is, for people. name: Whose names these are.
        marks: Names by which it is known; most of them are in a file that speaks it.
        to_published, from_published: The same weights under the published names, and back; nothing is read.
        config: The network's `config.json`, as far as the shapes of the published tensors tell it; the rest is the
            release's.
    """

    component: str
    network: str
    name: str
    marks: tuple[str, ...]
    to_published: Rewrite
    from_published: Rewrite
    config: Callable[[Stored], dict[str, Any]]


def unchanged(tensors: Stored) -> dict[str, StoredTensor]:
    """The published names are their own dialect."""
    return dict(tensors)


def numbered(tensors: Stored, stem: str) -> int:
    """How many blocks `stem.0`, `stem.1`, … there are: one more than the highest number."""
    start = stem + "."
    numbers = {name[len(start) :].partition(".")[0] for name in tensors if name.startswith(start)}
    return max((int(number) + 1 for number in numbers if number.isdecimal()), default=0)
