"""What one could say of a sprite, from its concept and its style."""

from collections.abc import Iterator

from mezzotint.data.records import Caption
from mezzotint.synthesis import hashing
from mezzotint.synthesis.colours import COLOUR_WORDS, Colour
from mezzotint.synthesis.concepts import Concept
from mezzotint.synthesis.language import chinese, english
from mezzotint.synthesis.language.nouns import Noun, nouns
from mezzotint.synthesis.styles import Style


def captions(concept: Concept, style: Style, colour: Colour | None = None) -> Iterator[Caption]:
    """Tags, short, medium and long captions in both languages; a sprite is meant to be seen on white.

    With the drawing's main colour, a third of the short and medium captions say it. A short caption may leave the style
    out, but not that a drawing has no colours: who says "a penguin" wants colours.
    """
    noun = nouns().get(concept.code)
    if says_a_colour(concept.name["en"]) or english.is_proper(concept.name["en"]):
        colour = None
    for kind, text in _english(concept, style, noun, colour):
        yield Caption(kind=kind, language="en", text=text)
    for kind, text in _chinese(concept, style, noun, colour):
        yield Caption(kind=kind, language="zh", text=text)


def says_a_colour(name: str) -> bool:
    """Whether an English name claims a colour: "red apple", "blond-haired man"."""
    return bool(COLOUR_WORDS & set(name.lower().replace("-", " ").split()))


def _english(concept: Concept, style: Style, noun: Noun | None, colour: Colour | None) -> Iterator[tuple[str, str]]:
    seed = (concept.code, style.name)
    names = list(dict.fromkeys([concept.name["en"], *([noun.singular] if noun else [])]))
    bare = [hashing.pick(names, kind, *seed) for kind in ("short", "medium", "long")]
    said = [english.indefinite(name) for name in bare]
    look = [hashing.pick(style.names["en"], kind, "look", *seed) for kind in ("tags", "short", "medium", "long")]
    yield "tags", ", ".join([*names, *(tag for tag in concept.tags["en"][:8] if tag not in names), look[0]])
    styled = f"{bare[0]}, {look[1]}"
    forms = [said[0], said[0], bare[0], styled] if style.coloured else [styled]
    things = [said[1]]
    if colour:
        forms += [english.painted(bare[0], colour.english)] * 2
        things += [said[1], english.painted(bare[1], colour.english)]
    yield "short", hashing.pick(forms, "form", *seed)
    yield "medium", f"{english.article(look[2])} {look[2]} of {hashing.pick(things, 'thing', *seed)}"
    place = hashing.pick(["on a plain white background", "on white", "against a white background"], "place", *seed)
    whole = f"{english.article(look[3])} {look[3]} of {said[2]} {place}, with {style.looks['en']}"
    yield "long", english.sentence(whole)


def _chinese(concept: Concept, style: Style, noun: Noun | None, colour: Colour | None) -> Iterator[tuple[str, str]]:
    seed = (concept.code, style.name, "zh")
    names = list(dict.fromkeys([concept.name["zh"], *([noun.chinese] if noun else [])]))
    bare = [hashing.pick(names, kind, *seed) for kind in ("short", "medium", "long")]
    look = [hashing.pick(style.names["zh"], kind, "look", *seed) for kind in ("tags", "short", "medium", "long")]
    yield "tags", "，".join([*names, *(tag for tag in concept.tags["zh"][:8] if tag not in names), look[0]])
    counted = noun.chinese_count(1) if noun else bare[0]
    styled = f"{bare[0]}，{look[1]}"
    forms = [counted, counted, bare[0], styled] if style.coloured else [styled]
    things = [bare[1]]
    if colour:
        painted = [f"{colour.chinese}的{name}" for name in (noun.chinese if noun else bare[0], bare[1])]
        forms += [chinese.counted(1, noun.measure, painted[0]) if noun else painted[0]] * 2
        things += [bare[1], painted[1]]
    yield "short", hashing.pick(forms, "form", *seed)
    thing = hashing.pick(things, "thing", *seed)
    yield "medium", hashing.pick([f"一张{thing}的{look[2]}", f"{thing}的{look[2]}"], "form", "medium", *seed)
    place = hashing.pick(["纯白背景", "白色背景", "背景为白色"], "place", *seed)
    yield "long", f"{bare[2]}的{look[3]}，{place}，{style.looks['zh']}。"
