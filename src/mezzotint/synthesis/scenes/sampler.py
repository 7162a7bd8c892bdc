"""From a seed and an index to a scene: what it shows, and where."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mezzotint.synthesis import hashing
from mezzotint.synthesis.colours import Paint
from mezzotint.synthesis.concepts import Language
from mezzotint.synthesis.scenes import layout, text
from mezzotint.synthesis.scenes.casting import LONGEST_TEXT, Casting, Props
from mezzotint.synthesis.scenes.held_out import split_of
from mezzotint.synthesis.scenes.layout import Rectangle
from mezzotint.synthesis.scenes.shapes import SHAPES
from mezzotint.synthesis.scenes.truth import (
    Background,
    BackgroundKind,
    Kind,
    Object,
    Relation,
    RelationName,
    Scene,
    Size,
    Thing,
    Writing,
)

_TEST_SHARE = 0.06  # of the scenes show something that is held out
_ASPECTS: Mapping[tuple[int, int], float] = {(1, 1): 0.76, (3, 2): 0.06, (2, 3): 0.06, (4, 3): 0.06, (3, 4): 0.06}
_CALM = (0.72, 0.28, 0.0, 0.0, 0.0)  # backgrounds for text and held things: plain colours and gradients only
_LONGEST_TEXT = {"en": LONGEST_TEXT, "zh": 5}  # characters


@dataclass(frozen=True, kw_only=True)
class Composition:
    """What a kind of scene decides; the rest of `Scene` is the same for all kinds."""

    background: Background
    things: Sequence[Thing]
    places: Sequence[Rectangle]
    writings: tuple[Writing, ...] = ()
    relation: Relation | None = None


@dataclass(frozen=True, kw_only=True)
class Repertoire:
    """What scenes are drawn from. A narrow one is for a curriculum: a few things at a time are learned sooner.

    Attributes:
        shares: How often each subject of `SUBJECTS` comes, in any unit.
        styles, backgrounds: Only these; empty for all that there are.
        square: Whether all pictures are square.
        longest_text: Characters that a string has at most, 2 or more.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    styles: tuple[str, ...] = ()
    backgrounds: tuple[BackgroundKind, ...] = ()
    square: bool = False
    longest_text: int = LONGEST_TEXT


def sample_scene(seed: int, index: int, props: Props, repertoire: Repertoire | None = None) -> Scene:
    """Scene `index` of the endless row that belongs to `seed`: the same whenever and wherever it is asked for."""
    repertoire = repertoire or Repertoire()
    rng = hashing.generator("scene", seed, index)
    subjects, shares = list(repertoire.shares), np.array(list(repertoire.shares.values()))
    subject = subjects[int(rng.choice(len(subjects), p=shares / shares.sum()))]
    aspects = list(_ASPECTS)
    aspect = aspects[int(rng.choice(len(aspects), p=list(_ASPECTS.values())))]
    styles = repertoire.styles or props.sprites.styles
    style = styles[int(rng.integers(len(styles)))]
    held_out = bool(rng.random() < _TEST_SHARE)
    casting = Casting(
        rng=rng,
        props=props,
        aspect=(1, 1) if repertoire.square else aspect,
        style=style,
        backgrounds=repertoire.backgrounds,
        longest_text=repertoire.longest_text,
    )
    kind, compose = SUBJECTS[subject]
    while True:
        scene = _scene(seed, index, kind, casting, compose(casting))
        if (split_of(scene) == "test") == held_out:
            return scene


def sample_held_out(seed: int, index: int, kind: Kind, wanted: Callable[[Scene], bool], props: Props) -> Scene:
    """A scene of the split "test", of a kind, that is `wanted`: for examinations, which ask for what is rare."""
    rng = hashing.generator("held out", kind, seed, index)
    while True:
        style = props.sprites.styles[int(rng.integers(len(props.sprites.styles)))]
        casting = Casting(rng=rng, props=props, aspect=(1, 1), style=style)
        scene = _scene(seed, index, kind, casting, SUBJECTS[kind][1](casting))
        if split_of(scene) == "test" and wanted(scene):
            return scene


def sample_lettering(seed: int, index: int, props: Props) -> Scene:
    """A scene of text whose strings are random characters, all equally often: to learn to read, not to guess words.

    Never of the split "test".
    """
    rng = hashing.generator("lettering", seed, index)
    style = props.sprites.styles[int(rng.integers(len(props.sprites.styles)))]
    casting = Casting(rng=rng, props=props, aspect=(1, 1), style=style)
    while True:
        composition = _lettering(casting) if casting.chance(0.4) else _lines(casting)
        scene = _scene(seed, index, "text", casting, composition)
        if split_of(scene) != "test":
            return scene


def _scene(seed: int, index: int, kind: Kind, casting: Casting, composition: Composition) -> Scene:
    boxes = [casting.canvas.box(place) for place in composition.places]
    has_sprites = any(thing.noun not in SHAPES for thing in composition.things)
    return Scene(
        seed=seed,
        index=index,
        kind=kind,
        aspect=casting.aspect,
        style=casting.style if has_sprites else None,
        background=composition.background,
        objects=tuple(Object(thing=t, box=b) for t, b in zip(composition.things, boxes, strict=True)),
        writings=composition.writings,
        relation=composition.relation,
    )


def _backdrop(casting: Casting) -> Composition:
    """One drawing, large, on any background."""
    thing = casting.sprite()
    size = casting.rng.uniform(0.5, 0.85)
    put = layout.centred if casting.chance(0.6) else partial(layout.within, casting.rng)
    background = casting.background([thing], (0.6, 0.18, 0.07, 0.07, 0.08))
    return Composition(background=background, things=[thing], places=[put(_shape(casting, thing), size, casting.room)])


def _counting(casting: Casting) -> Composition:
    """One to six of the same thing."""
    count = casting.one_of(range(1, 7), (0.5, 1.1, 1.1, 1.1, 1.1, 1.1))
    thing = casting.painted(0.5, casting.paint()) if casting.chance(0.4) else casting.sprite()
    shape = _shape(casting, thing)
    if casting.chance(0.45):
        places = layout.in_rows(casting.rng, shape, count, casting.rng.uniform(0.7, 0.9), casting.room)
    else:
        size = casting.rng.uniform(0.5, 0.72) / count**0.5
        places = layout.scatter(casting.rng, [shape] * count, [size] * count, casting.room)
    return Composition(background=casting.background([thing]), things=[thing] * count, places=places)


def _colour(casting: Casting) -> Composition:
    """One or two things in named colours."""
    first = casting.painted(0.45, casting.paint())
    if casting.chance(0.6):
        places = [layout.centred(_shape(casting, first), casting.rng.uniform(0.5, 0.8), casting.room)]
        return Composition(background=casting.background([first]), things=[first], places=places)
    assert first.paint is not None
    second = casting.painted(0.45, casting.paint(without=[first.paint.name]), without=[first])
    places = _side_by_side(casting, [first, second])
    return Composition(background=casting.background([first, second]), things=[first, second], places=places)


def _pair(casting: Casting) -> Composition:
    """Two different things."""
    first = casting.sprite()
    second = casting.sprite(without=[first])
    things = [first, second]
    return Composition(background=casting.background(things), things=things, places=_side_by_side(casting, things))


def _position(casting: Casting) -> Composition:
    """Two things of which one lies left of, right of, above, below, inside or on the other."""
    names: list[RelationName] = ["left of", "right of", "above", "below", "inside", "on"]
    name = casting.one_of(names, (1.2, 1.2, 1.2, 1.2, 0.8, 0.8))
    if name in ("inside", "on"):
        return _held(casting, name)
    first = _any_thing(casting)
    second = _any_thing(casting, without=[first])
    places = _halves(casting, [first, second], sideways=name in ("left of", "right of"))
    if name in ("right of", "below"):
        places.reverse()
    background = casting.background([first, second])
    relation = Relation(name=name, subject=0, reference=1)
    return Composition(background=background, things=[first, second], places=places, relation=relation)


def _held(casting: Casting, name: RelationName) -> Composition:
    """A thing inside a shape, or on one. The shape is painted first."""
    subject = casting.sprite()
    holders = [key for key, shape in SHAPES.items() if (shape.room if name == "inside" else shape.stand)]
    paint = casting.paint_apart_from([casting.cutout(subject).edge])
    holder = Thing(noun=casting.one_of(holders), paint=paint)
    if name == "inside":
        outer = layout.centred(_shape(casting, holder), casting.rng.uniform(0.8, 0.92), casting.room)
        side = SHAPES[holder.noun].room * outer.width
        middle = Rectangle(
            left=outer.left + (outer.width - side) / 2,
            top=outer.top + (outer.height - side) / 2,
            width=side,
            height=side,
        )
        places = [outer, layout.centred(_shape(casting, subject), 9.0, middle)]
    else:
        places = _stacked(casting, subject, holder)
    relation = Relation(name=name, subject=1, reference=0)
    background = casting.background([holder, subject], _CALM)
    return Composition(background=background, things=[holder, subject], places=places, relation=relation)


def _stacked(casting: Casting, subject: Thing, holder: Thing) -> list[Rectangle]:
    """The holder below, the subject with its foot on the holder's upper side."""
    room = casting.room
    low = Rectangle(left=room.left, top=room.top + 0.52 * room.height, width=room.width, height=0.48 * room.height)
    base = layout.centred(_shape(casting, holder), casting.rng.uniform(0.42, 0.55), low)
    stand = SHAPES[holder.noun].stand
    assert stand is not None
    foot = base.top + stand * base.height
    above = Rectangle(left=base.left, top=room.top, width=base.width, height=foot - room.top)
    width, height = layout.fit(_shape(casting, subject), casting.rng.uniform(0.3, 0.42), above)
    left = base.left + (base.width - width) * casting.rng.uniform(0.35, 0.6)
    return [base, Rectangle(left=left, top=foot - height, width=width, height=height)]


def _word(casting: Casting, language: Language) -> str:
    """A word or a number."""
    if casting.chance(0.15):
        return str(casting.rng.integers(0, 1000))
    return casting.one_of(text.words(language))


def _random_string(casting: Casting, language: Language) -> str:
    characters = list(text.alphabet(language))
    length = int(casting.rng.integers(1, _longest(casting, language) + 1))
    drawn = "".join(casting.one_of(characters) for _ in range(length))
    return casting.one_of((drawn, drawn.lower(), drawn.capitalize()))


def _longest(casting: Casting, language: Language) -> int:
    return min(casting.longest_text, _LONGEST_TEXT[language])


def _text(casting: Casting, string: Callable[[Casting, Language], str] = _word) -> Composition:
    """A string, alone or with a drawing."""
    return (_alone if casting.chance(0.5) else _with_a_drawing)(casting, string)


def _alone(casting: Casting, string: Callable[[Casting, Language], str] = _word) -> Composition:
    """A string, nearly as wide as the picture."""
    background = casting.background([], _CALM)
    room = casting.canvas.part(0.06, 0.2, 0.94, 0.8)
    return Composition(
        background=background, things=[], places=[], writings=(_writing(casting, string, background, room),)
    )


def _with_a_drawing(casting: Casting, string: Callable[[Casting, Language], str]) -> Composition:
    """A string below or above a drawing."""
    thing = casting.sprite()
    background = casting.background([thing], _CALM)
    top, bottom = casting.canvas.part(0.08, 0.06, 0.92, 0.28), casting.canvas.part(0.08, 0.72, 0.92, 0.94)
    upper, lower = casting.canvas.part(0.06, 0.04, 0.94, 0.66), casting.canvas.part(0.06, 0.34, 0.94, 0.96)
    line, rest = (bottom, upper) if casting.chance(0.6) else (top, lower)
    place = layout.centred(_shape(casting, thing), casting.rng.uniform(0.5, 0.7), rest)
    writing = _writing(casting, string, background, line)
    return Composition(background=background, things=[thing], places=[place], writings=(writing,))


def _lettering(casting: Casting) -> Composition:
    """A string of random characters, alone or with a drawing."""
    return _text(casting, _random_string)


def _spelling(casting: Casting) -> Composition:
    """A string of random characters, alone."""
    return _alone(casting, _random_string)


def _lines(casting: Casting) -> Composition:
    """Two to four random strings, one below the other."""
    background, count = casting.background([], _CALM), casting.one_of((2, 3, 4))
    rows = [casting.canvas.part(0.04, (row + 0.1) / count, 0.96, (row + 0.9) / count) for row in range(count)]
    writings = tuple(_writing(casting, _random_string, background, row) for row in rows)
    return Composition(background=background, things=[], places=[], writings=writings)


def _free(casting: Casting) -> Composition:
    """Two to four sorts of things, one to three of each, some of them compared in size."""
    kinds: list[Thing] = []
    for _ in range(casting.one_of((2, 3, 4), (0.45, 0.4, 0.15))):
        kinds.append(_any_thing(casting, without=kinds))
    if len(kinds) == 2 and casting.chance(0.6):
        sizes: tuple[Size, Size] = ("large", "small")
        kinds = [Thing(noun=kind.noun, paint=kind.paint, size=size) for kind, size in zip(kinds, sizes, strict=True)]
    things = [kind for kind in kinds for _ in range(1 if kind.size else casting.one_of((1, 2, 3), (0.6, 0.25, 0.15)))]
    scale = {"large": 0.6, "small": 0.26, None: casting.rng.uniform(0.55, 0.7) / len(things) ** 0.5}
    sizes_of = [scale[thing.size] for thing in things]
    background = casting.background(kinds)
    places = layout.scatter(casting.rng, [_shape(casting, thing) for thing in things], sizes_of, casting.room)
    return Composition(background=background, things=things, places=places)


SUBJECTS: Mapping[str, tuple[Kind, Callable[[Casting], Composition]]] = {
    "backdrop": ("backdrop", _backdrop),
    "counting": ("counting", _counting),
    "colour": ("colour", _colour),
    "position": ("position", _position),
    "pair": ("pair", _pair),
    "text": ("text", _text),
    "free": ("free", _free),
    "word": ("text", _alone),
    "lettering": ("text", _lettering),
    "spelling": ("text", _spelling),
}
"""What a scene can be about: the kind that it is of, and how it is composed."""

SHARES: Mapping[str, float] = {
    "backdrop": 0.16,
    "counting": 0.20,
    "colour": 0.15,
    "position": 0.15,
    "pair": 0.10,
    "text": 0.14,
    "free": 0.10,
}
"""Of the mini corpus."""


def _any_thing(casting: Casting, without: Sequence[Thing] = ()) -> Thing:
    """A drawing in its own colours, or something painted in a colour that no other thing has."""
    if casting.chance(0.55):
        return casting.sprite(without)
    used = [thing.paint.name for thing in without if thing.paint]
    return casting.painted(0.6, casting.paint(without=used), without)


def _shape(casting: Casting, thing: Thing) -> float:
    return casting.cutout(thing).shape


def _side_by_side(casting: Casting, things: Sequence[Thing]) -> list[Rectangle]:
    sideways = casting.aspect[0] > casting.aspect[1] or (
        casting.aspect[0] == casting.aspect[1] and casting.chance(0.75)
    )
    return _halves(casting, things, sideways)


def _halves(casting: Casting, things: Sequence[Thing], sideways: bool) -> list[Rectangle]:
    """Two things, the first in the left (or upper) half, the second in the other, about on one line."""
    middle = casting.rng.uniform(0.45, 0.55)
    if sideways:
        halves = [
            casting.canvas.part(0.03, 0.12, middle - 0.01, 0.88),
            casting.canvas.part(middle + 0.01, 0.12, 0.97, 0.88),
        ]
    else:
        halves = [
            casting.canvas.part(0.12, 0.03, 0.88, middle - 0.01),
            casting.canvas.part(0.12, middle + 0.01, 0.88, 0.97),
        ]
    places = []
    for thing, half in zip(things, halves, strict=True):
        size = casting.rng.uniform(0.36, 0.48)
        width, height = layout.fit(_shape(casting, thing), size, half)
        slack_x, slack_y = half.width - width, half.height - height
        x, y = casting.rng.uniform(0.3, 0.7, 2)
        places.append(Rectangle(left=half.left + x * slack_x, top=half.top + y * slack_y, width=width, height=height))
    return places


def _writing(
    casting: Casting, string: Callable[[Casting, Language], str], background: Background, room: Rectangle
) -> Writing:
    """A string that a font at hand can write, as large as fits the room."""
    while True:
        language: Language = "en" if casting.chance(0.55) else "zh"
        drawn = string(casting, language)
        fonts = [f for f in casting.props.fonts.for_language(language) if casting.props.fonts.can_write(f, drawn)]
        if not fonts or len(drawn) > _longest(casting, language):
            continue
        font = casting.one_of(fonts)
        shape = casting.props.fonts.shape(font, drawn)
        place = layout.centred(shape, casting.rng.uniform(0.45, 0.75), room)
        paint: Paint = casting.ink(background)
        return Writing(text=drawn, language=language, font=font, paint=paint, box=casting.canvas.box(place))
