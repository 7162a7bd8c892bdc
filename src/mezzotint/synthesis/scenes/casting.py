"""Choosing what a scene shows: things, their colours, a background they stand out from, words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar, get_args

import numpy as np

from mezzotint.synthesis import colours
from mezzotint.synthesis.colours import Paint, Rgb
from mezzotint.synthesis.language.nouns import nouns
from mezzotint.synthesis.scenes import text
from mezzotint.synthesis.scenes.backgrounds import Photographs
from mezzotint.synthesis.scenes.layout import Canvas, Rectangle, inner
from mezzotint.synthesis.scenes.library import Cutout, SpriteLibrary
from mezzotint.synthesis.scenes.shapes import SHAPES
from mezzotint.synthesis.scenes.truth import Background, BackgroundKind, Thing

T = TypeVar("T")

STANDS_OUT = 40.0  # CIE 1976 difference between a thing's outline and what lies behind it
LONGEST_TEXT = 9  # characters
READABLE = 3.0  # contrast ratio of large text, WCAG 2
_PATTERN_DIFFERENCE = (10.0, 50.0)  # between a pattern's two colours: to be seen, not to shout
_TRIES = 40


@dataclass(frozen=True, kw_only=True)
class Props:
    """What scenes are made of."""

    sprites: SpriteLibrary
    photographs: Photographs
    fonts: text.Fonts


@dataclass(frozen=True, kw_only=True)
class Casting:
    """The choices of one scene, all drawn from `rng`."""

    rng: np.random.Generator
    props: Props
    aspect: tuple[int, int]
    style: str
    backgrounds: Sequence[BackgroundKind] = ()  # only these; all where none is named
    longest_text: int = LONGEST_TEXT  # characters of a string, at most

    @cached_property
    def canvas(self) -> Canvas:
        return Canvas.of(self.aspect)

    @property
    def room(self) -> Rectangle:
        return inner(self.canvas)

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def one_of(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        shares = None if weights is None else np.asarray(weights) / sum(weights)
        return options[int(self.rng.choice(len(options), p=shares))]

    # Things

    def sprite(self, without: Sequence[Thing] = ()) -> Thing:
        """A drawing in its own colours, of a noun that is not among `without`."""
        taken = {thing.noun for thing in without}
        return Thing(noun=self.one_of([code for code in self.props.sprites.codes(self.style) if code not in taken]))

    def painted_sprite(self, paint: Paint, without: Sequence[Thing] = ()) -> Thing:
        """A drawing in shades of one colour; its name claims no other."""
        taken = {thing.noun for thing in without}
        codes = [code for code in self.props.sprites.codes(self.style) if code not in taken and is_paintable(code)]
        return Thing(noun=self.one_of(codes), paint=paint)

    def shape(self, paint: Paint, without: Sequence[Thing] = ()) -> Thing:
        taken = {thing.noun for thing in without}
        return Thing(noun=self.one_of([name for name in SHAPES if name not in taken]), paint=paint)

    def painted(self, shapes: float, paint: Paint, without: Sequence[Thing] = ()) -> Thing:
        """A shape with the probability `shapes`, otherwise a painted drawing."""
        return self.shape(paint, without) if self.chance(shapes) else self.painted_sprite(paint, without)

    def cutout(self, thing: Thing) -> Cutout:
        return self.props.sprites.thing(thing.noun, self.style, thing.paint)

    # Colours

    def paint(self, without: Sequence[str] = ()) -> Paint:
        """A shade of an object's colour whose name is not among `without`."""
        return colours.shade(self.one_of([c for c in colours.OBJECT_COLOURS if c not in without]), self.rng)

    def paint_apart_from(self, others: Sequence[Rgb], without: Sequence[str] = ()) -> Paint:
        """An object's colour that stands out from others."""
        return _first_or_best(lambda: self.paint(without), lambda paint: _nearest(paint.rgb, others), STANDS_OUT)

    def ink(self, background: Background) -> Paint:
        """A text colour that can be read on the background."""
        return _first_or_best(self.paint, lambda paint: _contrast(paint.rgb, background), READABLE)

    # Backgrounds

    def background(self, things: Sequence[Thing], kinds: Sequence[float] = (0.5, 0.22, 0.06, 0.06, 0.16)) -> Background:
        """A background that every thing stands out from; `kinds` weighs plain, gradient, stripes, dots, photograph."""
        edges = [self.cutout(thing).edge for thing in things]
        makers = [self._plain, self._gradient, self._stripes, self._dots, self._photograph]
        make = self.one_of(makers, self._allowed(kinds))
        drawn = _first_or_best(make, lambda b: _clearance(b, edges, self.props), STANDS_OUT)
        if _clearance(drawn, edges, self.props) >= STANDS_OUT:
            return drawn
        return _first_or_best(self._plain, lambda b: _clearance(b, edges, self.props), STANDS_OUT)

    def _allowed(self, kinds: Sequence[float]) -> Sequence[float]:
        """The weights with those of other backgrounds than this scene may have set to 0, if that leaves any."""
        names = get_args(BackgroundKind)
        allowed = [weight * (name in self.backgrounds) for name, weight in zip(names, kinds, strict=True)]
        return allowed if any(allowed) else kinds

    def _plain(self) -> Background:
        name = "white" if self.chance(0.25) else self.one_of(list(colours.BACKGROUND_COLOURS))
        paint = Paint(name="white", rgb=(255, 255, 255)) if name == "white" else colours.shade(name, self.rng)
        return Background(kind="plain", paints=(paint,))

    def _gradient(self) -> Background:
        first, second = (self._plain().paints[0] for _ in range(2))
        while second.name == first.name:
            second = self._plain().paints[0]
        return Background(kind="gradient", paints=(first, second), direction=self._direction())

    def _stripes(self) -> Background:
        return Background(kind="stripes", paints=self._quiet_pair(), direction=self._direction(), offset=self._offset())

    def _dots(self) -> Background:
        return Background(kind="dots", paints=self._quiet_pair(), offset=self._offset())

    def _photograph(self) -> Background:
        name = self.one_of(sorted(self.props.photographs.colours))
        return Background(kind="photograph", photograph=name, offset=self._offset())

    def _quiet_pair(self) -> tuple[Paint, Paint]:
        while True:
            first, second = (colours.shade(self.one_of(list(colours.BACKGROUND_COLOURS)), self.rng) for _ in range(2))
            least, most = _PATTERN_DIFFERENCE
            if first.name != second.name and least <= colours.distance(first.rgb, second.rgb) <= most:
                return first, second

    def _direction(self) -> Literal["down", "right"]:
        return "down" if self.chance(0.5) else "right"

    def _offset(self) -> tuple[float, float]:
        across, down = self.rng.random(2)
        return float(across), float(down)


def _first_or_best(draw: Callable[[], T], quality: Callable[[T], float], enough: float) -> T:
    """The first of a few draws that is good enough, or else the best of them."""
    best = draw()
    for _ in range(_TRIES):
        if quality(best) >= enough:
            break
        best = max(best, draw(), key=quality)
    return best


def is_paintable(code: str) -> bool:
    """Whether a drawing may be recoloured: its name says no colour ("red apple", "orange")."""
    return not colours.COLOUR_WORDS & set(nouns()[code].singular.split())


def _nearest(rgb: Rgb, others: Sequence[Rgb]) -> float:
    return min((colours.distance(rgb, other) for other in others), default=np.inf)


def _shades(background: Background, props: Props) -> list[Rgb]:
    """The colours that one can meet on it."""
    if background.photograph is not None:
        return [props.photographs.colours[background.photograph]]
    shades = [paint.rgb for paint in background.paints]
    if background.kind == "gradient":
        (a, b, c), (d, e, f) = shades
        shades.append(((a + d) // 2, (b + e) // 2, (c + f) // 2))
    return shades


def _clearance(background: Background, edges: Sequence[Rgb], props: Props) -> float:
    return min((_nearest(edge, _shades(background, props)) for edge in edges), default=np.inf)


def _contrast(rgb: Rgb, background: Background) -> float:
    return min(colours.contrast(rgb, paint.rgb) for paint in background.paints)
