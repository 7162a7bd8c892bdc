"""Combinations that training never sees, chosen by their names alone, so that generalisation can be tested.

A tenth of the pairs (count, thing), (colour, thing), (background colour, thing), (relation, thing, thing) and
(thing, thing), and of the strings, is held out. A scene that shows one of them belongs to the split "test".
"""

from collections.abc import Iterator
from itertools import combinations

from mezzotint.synthesis import hashing
from mezzotint.synthesis.scenes.truth import Scene

Fact = tuple[str, ...]  # its kind, then names

_SHARE = 0.1
_VALIDATION = 0.02
_TURNED = {"right of": "left of", "below": "above"}


def is_held_out(fact: Fact) -> bool:
    """Whether training must not see it."""
    return hashing.unit("held out", *fact) < _SHARE


def facts(scene: Scene) -> Iterator[Fact]:
    """Everything about the scene that can be held out."""
    counts = scene.counts()
    for thing, count in counts.items():
        if count > 1:
            yield "count", str(count), thing.noun
        if thing.paint:
            yield "colour", thing.paint.name, thing.noun
        if scene.background.kind == "plain":
            yield "background", scene.background.paints[0].name, thing.noun
    nouns = sorted({thing.noun for thing in counts})
    yield from (("pair", *pair) for pair in combinations(nouns, 2))
    if scene.relation:
        yield relation_fact(scene)
    for writing in scene.writings:
        yield "text", writing.text.upper()


def relation_fact(scene: Scene) -> Fact:
    """The relation in its one form: "a right of b" is "b left of a"."""
    relation = scene.relation
    assert relation is not None
    names = [scene.objects[position].thing.noun for position in (relation.subject, relation.reference)]
    if relation.name in _TURNED:
        return "relation", _TURNED[relation.name], *reversed(names)
    return "relation", relation.name, *names


def split_of(scene: Scene) -> str:
    """ "test" when something is held out; otherwise a few are "val" and the rest "train"."""
    if any(is_held_out(fact) for fact in facts(scene)):
        return "test"
    return "val" if hashing.unit("split", "scene", scene.seed, scene.index) < _VALIDATION else "train"
