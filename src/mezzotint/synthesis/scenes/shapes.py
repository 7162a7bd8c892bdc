"""Geometric shapes in any colour, as small SVG drawings."""

from collections.abc import Mapping
from dataclasses import dataclass

from mezzotint.synthesis.colours import Rgb
from mezzotint.synthesis.language.nouns import Noun


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A shape in a view of 100 × 100. `{base}`, `{light}` and `{dark}` in the drawing stand for shades of its colour.

    `room` is how big a thing it can hold in its middle and still be seen by four fifths, in shares of its width;
    `stand` is how far below its upper edge a thing on it stands, in shares of its height.
    """

    noun: Noun
    drawing: str
    room: float = 0.0
    stand: float | None = None


def _shape(
    name: str, plural: str, chinese: str, measure: str, drawing: str, room: float = 0.0, stand: float | None = None
) -> Shape:
    noun = Noun(code=name, singular=name, plural=plural, chinese=chinese, measure=measure)
    return Shape(noun=noun, drawing=drawing, room=room, stand=stand)


def _polygon(points: str, fill: str = "{base}") -> str:
    return f'<polygon points="{points}" fill="{fill}"/>'


_BALL = (
    '<defs><radialGradient id="g" cx="0.36" cy="0.32" r="0.75"><stop offset="0" stop-color="{light}"/>'
    '<stop offset="0.45" stop-color="{base}"/><stop offset="1" stop-color="{dark}"/></radialGradient></defs>'
    '<circle cx="50" cy="50" r="48" fill="url(#g)"/>'
)
_CUBE = (
    _polygon("50,4 94,28 50,52 6,28", "{light}")
    + _polygon("6,28 50,52 50,98 6,74")
    + _polygon("94,28 50,52 50,98 94,74", "{dark}")
)
_BOX = (
    _polygon("16,24 98,24 84,40 2,40", "{light}")
    + _polygon("2,40 84,40 84,88 2,88")
    + _polygon("84,40 98,24 98,72 84,88", "{dark}")
)
_CYLINDER = (
    '<defs><linearGradient id="g"><stop offset="0" stop-color="{base}"/><stop offset="0.3" stop-color="{light}"/>'
    '<stop offset="0.55" stop-color="{base}"/><stop offset="1" stop-color="{dark}"/></linearGradient></defs>'
    '<path d="M18 18 V82 A32 14 0 0 0 82 82 V18 Z" fill="url(#g)"/>'
    '<ellipse cx="50" cy="18" rx="32" ry="14" fill="{light}"/>'
)
_CONE = (
    '<defs><linearGradient id="g"><stop offset="0" stop-color="{light}"/><stop offset="0.4" stop-color="{base}"/>'
    '<stop offset="1" stop-color="{dark}"/></linearGradient></defs>'
    '<path d="M50 3 L88 84 A38 13 0 0 1 12 84 Z" fill="url(#g)"/>'
)
_STAR = _polygon("50,3 61.8,36.8 97.6,37.5 69,59.2 79.4,93.4 50,73 20.6,93.4 31,59.2 2.4,37.5 38.2,36.8")
_HEART = '<path d="M50 94 C8 62 3 40 8 25 C16 3 42 6 50 27 C58 6 84 3 92 25 C97 40 92 62 50 94 Z" fill="{base}"/>'
_RING = '<path d="M50 3 a47 47 0 1 0 0.01 0 Z M50 17 a33 33 0 1 1 -0.01 0 Z" fill="{base}" fill-rule="evenodd"/>'
_FRAME = '<path d="M4 4 H96 V96 H4 Z M16 16 V84 H84 V16 Z" fill="{base}" fill-rule="evenodd"/>'

SHAPES: Mapping[str, Shape] = {
    shape.noun.code: shape
    for shape in (
        _shape("ball", "balls", "球", "个", _BALL),
        _shape("cube", "cubes", "立方体", "个", _CUBE),
        _shape("box", "boxes", "盒子", "个", _BOX, stand=0.14),
        _shape("cylinder", "cylinders", "圆柱体", "个", _CYLINDER, stand=0.15),
        _shape("cone", "cones", "圆锥", "个", _CONE),
        _shape("circle", "circles", "圆形", "个", '<circle cx="50" cy="50" r="48" fill="{base}"/>', room=0.42),
        _shape(
            "square", "squares", "正方形", "个", '<rect x="4" y="4" width="92" height="92" fill="{base}"/>', room=0.45
        ),
        _shape("triangle", "triangles", "三角形", "个", _polygon("50,6 97,90 3,90")),
        _shape("star", "stars", "五角星", "颗", _STAR),
        _shape("heart", "hearts", "爱心", "颗", _HEART),
        _shape("diamond", "diamonds", "菱形", "个", _polygon("50,2 88,50 50,98 12,50")),
        _shape("hexagon", "hexagons", "六边形", "个", _polygon("50,2 92,26 92,74 50,98 8,74 8,26")),
        _shape("hoop", "hoops", "圆环", "个", _RING, room=0.46),
        _shape("frame", "frames", "方框", "个", _FRAME, room=0.62),
    )
}


def svg_of(name: str, rgb: Rgb) -> str:
    """The shape in a colour, with a lighter and a darker shade where it has sides."""
    light = tuple(round(c + (255 - c) * 0.38) for c in rgb)
    dark = tuple(round(c * 0.68) for c in rgb)
    body = SHAPES[name].drawing.format(base=_css(rgb), light=_css(light), dark=_css(dark))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{body}</svg>'


def _css(rgb: tuple[int, ...]) -> str:
    return "rgb({},{},{})".format(*rgb)
