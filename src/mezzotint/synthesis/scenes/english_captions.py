"""A scene's truth in English."""

import re
from collections.abc import Iterator, Mapping

from mezzotint.synthesis.language import english
from mezzotint.synthesis.scenes.backgrounds import PHOTOGRAPHS
from mezzotint.synthesis.scenes.library import noun_of
from mezzotint.synthesis.scenes.phrases import Phrases, Pick
from mezzotint.synthesis.scenes.text import FONTS
from mezzotint.synthesis.scenes.truth import Background, Box, Object, Scene, Thing, Writing

_REGIONS = (
    ("in the upper left", "at the top", "in the upper right"),
    ("on the left", "in the center", "on the right"),
    ("in the lower left", "at the bottom", "in the lower right"),
)
_RELATIONS: Mapping[str, tuple[str, ...]] = {
    "left of": ("to the left of", "left of"),
    "right of": ("to the right of", "right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
    "inside": ("inside", "in"),
    "on": ("on top of", "on"),
}
_SIZES = {"large": ("large", "big"), "small": ("small", "little")}


def describe(scene: Scene, look: str | None, pick: Pick) -> Phrases:
    """`look` names the style of all that is in the picture, if one does."""
    content = _content(scene, pick)
    place = background(scene.background, pick)
    framed = f"{english.article(look)} {look} of {_content(scene, pick, framed=True)}" if look else content
    return Phrases(
        tags=", ".join(_tags(scene, look, pick)),
        content=content,
        in_digits=_content(scene, pick, digits=True),
        framed=framed,
        ground=f" {place}",
        long=" ".join(_sentences(scene, framed, place, pick)),
    )


def noun_phrase(thing: Thing, count: int, pick: Pick, digits: bool = False) -> str:
    """ "a small blue cat", "three red cubes", "3 red cubes"."""
    noun = noun_of(thing.noun)
    name = noun.singular if count == 1 else noun.plural
    size = pick(_SIZES[thing.size], "size") if thing.size else None
    name = " ".join(word for word in (size, thing.paint.name if thing.paint else None, name) if word)
    if count == 1:
        return f"{english.article(name)} {name}"
    return f"{count if digits else english.NUMERALS[count]} {name}"


def background(drawn: Background, pick: Pick) -> str:
    """ "on a light blue background"."""
    if drawn.photograph is not None:
        return PHOTOGRAPHS[drawn.photograph].english
    names = [paint.name for paint in drawn.paints]
    if drawn.kind == "plain":
        name = pick(("{}", "{}", "plain {}", "solid {}"), "plain").format(names[0])
        return f"{pick(('on', 'on', 'against'), 'preposition')} {english.article(name)} {name} background"
    if drawn.kind == "gradient":
        ends = ("at the top", "at the bottom") if drawn.direction == "down" else ("on the left", "on the right")
        exact = f"on a gradient background, {names[0]} {ends[0]} and {names[1]} {ends[1]}"
        return pick((f"on a background that fades from {names[0]} to {names[1]}", exact), "gradient")
    if drawn.kind == "stripes":
        lie = "horizontal" if drawn.direction == "down" else "vertical"
        stripes = f"{names[0]} and {names[1]} stripes"
        return pick((f"on a background of {stripes}", f"on a background of {lie} {stripes}"), "stripes")
    return f"on {english.article(names[0])} {names[0]} background with {names[1]} polka dots"


def writing(line: Writing, pick: Pick, detailed: bool = False) -> str:
    """ "the word "HELLO" in red bold letters"."""
    if line.text.isdigit():
        what = "number"
    elif line.language == "zh":
        what = "Chinese character" if len(line.text) == 1 else "Chinese text"
    else:
        what = "word"
    said = f'the {what} "{line.text}"'
    if not detailed:
        return said
    letters = "digits" if what == "number" else "characters" if line.language == "zh" else "letters"
    font = f"{FONTS[line.font].looks['en']} " if pick(("font", "plain"), "font") == "font" else ""
    return f"{said} in {line.paint.name} {font}{letters}"


def region(box: Box) -> str:
    """Where a box's middle lies, on a grid of three by three."""
    column, row = (min(2, int(3 * at)) for at in box.centre)
    return _REGIONS[row][column]


def _content(scene: Scene, pick: Pick, digits: bool = False, framed: bool = False) -> str:
    """What is in the picture, without style and background; `framed`: as it can follow "a cartoon of"."""
    if scene.relation:
        subject, reference = (scene.objects[n].thing for n in (scene.relation.subject, scene.relation.reference))
        words = pick(_RELATIONS[scene.relation.name], "relation")
        return f"{noun_phrase(subject, 1, pick)} {words} {noun_phrase(reference, 1, pick)}"
    things = english.listed([noun_phrase(thing, count, pick, digits) for thing, count in scene.counts().items()])
    if not scene.writings:
        return things
    words = english.listed([writing(line, pick) for line in scene.writings])
    if not things:
        return words
    side = "below" if scene.writings[0].box.centre[1] > scene.objects[0].box.centre[1] else "above"
    with_words = f"{things} with {words} {side} it"
    return with_words if framed else pick((with_words, f"{words} {side} {things}"), "text")


def _tags(scene: Scene, look: str | None, pick: Pick) -> Iterator[str]:
    for thing, count in scene.counts().items():
        phrase = noun_phrase(thing, count, pick)
        yield re.sub(r"^an? ", "", phrase)
    yield from (f'"{line.text}"' for line in scene.writings)
    if scene.relation:
        yield scene.relation.name
    if look:
        yield look
    yield re.sub(r"^(on|against|in front of) (an? )?", "", background(scene.background, pick))


def _sentences(scene: Scene, framed: str, place: str, pick: Pick) -> Iterator[str]:
    yield english.sentence(f"{framed} {place}")
    alone = [item for item in scene.objects if scene.counts()[item.thing] == 1]
    if 1 < len(alone) <= 4 and not _is_held(scene):
        yield english.sentence(english.listed([f"{_the(item)} is {region(item.box)}" for item in alone]))
    elif len(scene.objects) == 1:
        yield english.sentence(f"{_the(scene.objects[0])} is {region(scene.objects[0].box)}")
    for line in scene.writings:
        yield english.sentence(f"{writing(line, pick, detailed=True)} is {region(line.box)}")


def _the(item: Object) -> str:
    paint = f"{item.thing.paint.name} " if item.thing.paint else ""
    return f"the {paint}{noun_of(item.thing.noun).singular}"


def _is_held(scene: Scene) -> bool:
    return scene.relation is not None and scene.relation.name in ("inside", "on")
