"""The sprites: every concept in every style that draws it, one record each."""

import hashlib
import io
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import PIL
from PIL import Image

from mezzotint.data.records import Record
from mezzotint.synthesis.artwork import RENDERER, Artwork
from mezzotint.synthesis.captions import captions, says_a_colour
from mezzotint.synthesis.colours import main_colour
from mezzotint.synthesis.concepts import EMOJIBASE, Concept, read_concepts
from mezzotint.synthesis.splits import split_of
from mezzotint.synthesis.styles import STYLES, Fetch, Style

VERSION = 3  # raise it when the same packages would give other records


@dataclass(frozen=True, kw_only=True)
class Sprites:
    """The part "sprites" of a corpus: pictures of size × size pixels, RGBA, the clear pixels black."""

    fetch: Fetch
    size: int
    styles: tuple[str, ...] = tuple(STYLES)
    name: str = "sprites"

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: the fields, not what was read."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def version(self) -> str:
        packages = " ".join(package.sha256 for package in (EMOJIBASE, *(style.package for style in self._styles)))
        tools = f"pillow {PIL.__version__} {RENDERER}"
        return f"{VERSION}-{hashlib.sha256(f'{self.size} {tools} {packages}'.encode()).hexdigest()[:16]}"

    @property
    def count(self) -> int:
        return len(self._rows)

    @cached_property
    def concepts(self) -> list[Concept]:
        return read_concepts(self.fetch(EMOJIBASE))

    @cached_property
    def artworks(self) -> dict[str, Artwork]:
        return {style.name: style.open(self.fetch) for style in self._styles}

    @property
    def _styles(self) -> list[Style]:
        return [STYLES[name] for name in self.styles]

    @cached_property
    def _rows(self) -> list[tuple[Concept, Style]]:
        drawn = {style.name: self.artworks[style.name].codes() for style in self._styles}
        return [
            (concept, style)
            for concept in self.concepts
            for style in self._styles
            if concept.code in drawn[style.name] and is_true_in(concept, style)
        ]

    def record(self, index: int) -> Record:
        concept, style = self._rows[index]
        drawing = self.artworks[style.name].draw(concept.code, self.size)
        picture = encode(drawing)
        return Record(
            id=f"sprite/{style.name}/{concept.code}",
            picture=picture,
            width=self.size,
            height=self.size,
            sha256=hashlib.sha256(picture).hexdigest(),
            kind="sprite",
            concept=concept.code,
            style=style.name,
            group=concept.group,
            subgroup=concept.subgroup,
            source=style.package.source,
            licence=style.package.licence,
            credit=style.package.credit,
            captions=tuple(captions(concept, style, main_colour(drawing) if style.coloured else None)),
            split=split_of(concept.code, style.name),
        )


def is_true_in(concept: Concept, style: Style) -> bool:
    """Whether the concept's name holds in the style: a line drawing shows no colour that the name may claim."""
    return style.coloured or not says_a_colour(concept.name["en"])


def encode(picture: Image.Image, *, fast: bool = False) -> bytes:
    """The picture as lossless WebP; `fast` takes a tenth of the time and half as many bytes again."""
    buffer = io.BytesIO()
    effort = {"quality": 0, "method": 0} if fast else {"quality": 50, "method": 2}
    picture.save(buffer, "WEBP", lossless=True, **effort)
    return buffer.getvalue()
