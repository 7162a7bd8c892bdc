"""One picture of a package, before it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mezzotint.runtime.packages import Package
from mezzotint.synthesis.concepts import Language


@dataclass(frozen=True, kw_only=True)
class Item:
    """A picture file, or one frame of a clip."""

    id: str
    path: Path
    kind: str  # "photograph", "clip-art", "stamp", "frame"
    package: Package
    licence: str  # SPDX
    credit: str
    group: str | None = None
    frame: int | None = None  # a position in what `clips.frames` gives
    captions: Mapping[Language, str] = field(default_factory=dict)
