"""The scenes as a part of a corpus: rendered, with captions and truth, one record each."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import PIL

from mezzotint.data.records import Record
from mezzotint.errors import InputError
from mezzotint.synthesis import builder
from mezzotint.synthesis.artwork import RENDERER
from mezzotint.synthesis.scenes.backgrounds import SKIMAGE, Photographs
from mezzotint.synthesis.scenes.captions import captions
from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.held_out import split_of
from mezzotint.synthesis.scenes.library import Origin, SpriteLibrary
from mezzotint.synthesis.scenes.renderer import render
from mezzotint.synthesis.scenes.sampler import Repertoire, sample_scene
from mezzotint.synthesis.scenes.text import FONTS, Fonts
from mezzotint.synthesis.scenes.truth import Scene
from mezzotint.synthesis.sprites import encode
from mezzotint.synthesis.styles import Fetch

VERSION = 3  # raise it when the same seed would give other records

_OWN = Origin(source="mezzotint-shapes@1", licence="Apache-2.0", credit="Mezzotint's scene renderer")
_AND = " AND "  # between the licences of one picture's sources (SPDX); sources and credits are joined by " + "


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """The part "scenes" of a corpus: `count` pictures of about size² pixels, made of the corpus' own sprites."""

    corpus: Path  # with its part "sprites" built
    fetch: Fetch
    size: int
    count: int
    seed: int
    fonts: tuple[str, ...] = tuple(FONTS)
    repertoire: Repertoire = field(default_factory=Repertoire)
    name: str = "scenes"

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: the fields, not what was read."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def version(self) -> str:
        sprites = " ".join(shard.sha256 for shard in builder.read_manifest(self.corpus / "sprites"))
        packages = " ".join(package.sha256 for package in (SKIMAGE, *(FONTS[name].package for name in self.fonts)))
        tools = f"pillow {PIL.__version__} {RENDERER}"
        text = f"{self.seed} {self.size} {tools} {packages} {sprites}"
        if self.repertoire != Repertoire():
            text += f" {json.dumps(asdict(self.repertoire))}"
        return f"{VERSION}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    @cached_property
    def props(self) -> Props:
        sprites = SpriteLibrary(self.corpus)
        if missing := sorted(set(self.repertoire.styles) - set(sprites.styles)):
            raise InputError(
                f"{self.corpus} has no sprites in the style {missing[0]!r}; it has {', '.join(sprites.styles)}"
            )
        return Props(
            sprites=sprites,
            photographs=Photographs(self.fetch),
            fonts=Fonts(self.fetch, self.fonts),
        )

    def record(self, index: int) -> Record:
        sampled = sample_scene(self.seed, index, self.props, self.repertoire)
        drawn, scene = render(sampled, self.size, self.props)
        picture = encode(drawn, fast=True)
        origins = _origins(scene, self.props)
        return Record(
            id=f"scene/{self.seed}/{index:07d}",
            picture=picture,
            width=drawn.width,
            height=drawn.height,
            sha256=hashlib.sha256(picture).hexdigest(),
            kind="scene",
            style=scene.style,
            group=scene.kind,
            source=" + ".join(origin.source for origin in origins),
            licence=_AND.join(origin.licence for origin in origins),
            credit=" + ".join(origin.credit for origin in origins),
            captions=tuple(captions(scene)),
            truth=scene.to_json(),
            measures={
                "objects": len(scene.objects),
                "least_visible": min((o.visible for o in scene.objects), default=1.0),
            },
            split=split_of(scene),
        )


def _origins(scene: Scene, props: Props) -> Sequence[Origin]:
    """Whose art the picture shows. Text needs no credit: a font's licence does not reach what is written with it."""
    origins = [props.sprites.origins[scene.style]] if scene.style else []
    if scene.background.photograph:
        origins.append(Origin(source=SKIMAGE.source, licence=SKIMAGE.licence, credit=SKIMAGE.credit))
    return origins or [_OWN]
