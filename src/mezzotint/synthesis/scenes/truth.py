"""The truth of a scene: frozen values, complete enough to draw it and to check every claim about it.

A sampled scene has the boxes that were planned; a rendered one those that were measured, up to a pixel smaller.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal

from mezzotint.synthesis.colours import Paint

Kind = Literal["backdrop", "counting", "colour", "position", "pair", "text", "free"]
RelationName = Literal["left of", "right of", "above", "below", "inside", "on"]
BackgroundKind = Literal["plain", "gradient", "stripes", "dots", "photograph"]
Size = Literal["large", "small"]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle in shares of the picture's width and height, from its upper left corner."""

    left: float
    top: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        return self.left + self.width / 2, self.top + self.height / 2


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What an object is. `paint` is None for a sprite in its own colours; `size` is set where sizes are compared."""

    noun: str  # a concept's code, or a shape's name
    paint: Paint | None = None
    size: Size | None = None


@dataclass(frozen=True, kw_only=True)
class Object:
    """One thing in its place. Later objects lie over earlier ones."""

    thing: Thing
    box: Box  # of its visible shape; after rendering exact to the pixel
    visible: float = 1.0  # share of its area that no other object hides


@dataclass(frozen=True, kw_only=True)
class Writing:
    """A line of text. `font` is a key of `FONTS`."""

    text: str
    language: Literal["en", "zh"]
    font: str
    paint: Paint
    box: Box


@dataclass(frozen=True, kw_only=True)
class Background:
    """`paints` has one colour for "plain", two for "gradient", "stripes" and "dots", none for "photograph"."""

    kind: BackgroundKind
    paints: tuple[Paint, ...] = ()
    direction: Literal["down", "right"] = "down"
    photograph: str | None = None  # a key of `PHOTOGRAPHS`
    offset: tuple[float, float] = (0.0, 0.0)  # of the pattern, or of the photograph's crop, in shares


@dataclass(frozen=True, kw_only=True)
class Relation:
    """How one object lies to another; both are positions in the scene's objects."""

    name: RelationName
    subject: int
    reference: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One picture, from its seed and index."""

    seed: int
    index: int
    kind: Kind
    aspect: tuple[int, int]
    style: str | None  # of all sprites; None without sprites
    background: Background
    objects: tuple[Object, ...]
    writings: tuple[Writing, ...] = ()
    relation: Relation | None = None

    def counts(self) -> dict[Thing, int]:
        """How many there are of each thing, in the order of their first appearance."""
        counts: dict[Thing, int] = {}
        for item in self.objects:
            counts[item.thing] = counts.get(item.thing, 0) + 1
        return counts

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, sort_keys=True, default=float)

    @staticmethod
    def from_json(text: str) -> "Scene":
        content = json.loads(text)
        return Scene(
            **{
                **content,
                "aspect": tuple(content["aspect"]),
                "relation": Relation(**content["relation"]) if content["relation"] else None,
                "background": _background(content["background"]),
                "objects": tuple(_object(item) for item in content["objects"]),
                "writings": tuple(
                    Writing(**{**item, "paint": _paint(item["paint"]), "box": Box(**item["box"])})
                    for item in content["writings"]
                ),
            }
        )


def pixel_size(aspect: tuple[int, int], side: int, multiple: int = 16) -> tuple[int, int]:
    """Width and height of an aspect ratio with about side² pixels, each a multiple of `multiple`."""
    ratio = (aspect[0] / aspect[1]) ** 0.5
    return _to_multiple(side * ratio, multiple), _to_multiple(side / ratio, multiple)


def _to_multiple(length: float, multiple: int) -> int:
    return max(1, round(length / multiple)) * multiple


def _paint(content: dict[str, Any]) -> Paint:
    return Paint(name=content["name"], rgb=tuple(content["rgb"]))


def _background(content: dict[str, Any]) -> Background:
    paints = tuple(_paint(paint) for paint in content["paints"])
    return Background(**{**content, "paints": paints, "offset": tuple(content["offset"])})


def _object(content: dict[str, Any]) -> Object:
    thing = content["thing"]
    paint = _paint(thing["paint"]) if thing["paint"] else None
    return Object(
        thing=Thing(noun=thing["noun"], paint=paint, size=thing["size"]),
        box=Box(**content["box"]),
        visible=content["visible"],
    )
