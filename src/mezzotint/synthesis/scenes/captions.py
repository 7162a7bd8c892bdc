"""What one could say of a scene: tags, short, medium and long captions in both languages, every word of it true."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from mezzotint.data.records import Caption
from mezzotint.synthesis import hashing
from mezzotint.synthesis.concepts import Language
from mezzotint.synthesis.scenes import chinese_captions, english_captions
from mezzotint.synthesis.scenes.phrases import Phrases, Pick
from mezzotint.synthesis.scenes.shapes import SHAPES
from mezzotint.synthesis.scenes.truth import Scene
from mezzotint.synthesis.styles import STYLES, Style

_DESCRIBE: Mapping[Language, Callable[[Scene, str | None, Pick], Phrases]] = {
    "en": english_captions.describe,
    "zh": chinese_captions.describe,
}


def captions(scene: Scene) -> Iterator[Caption]:
    """Captions of a rendered scene; the choice of words depends on its seed and index alone."""
    style = _style_of_all(scene)
    for language, describe in _DESCRIBE.items():

        def pick(options: Sequence[str], choice: str, language: str = language) -> str:
            return hashing.pick(options, "caption", language, choice, scene.seed, scene.index)

        look = pick(style.names_for(language, _has_colours(scene)), "look") if style else None
        for kind, text in _kinds(describe(scene, look, pick), _needs_its_ground(scene), pick):
            yield Caption(kind=kind, language=language, text=text)


def _kinds(phrases: Phrases, grounded: bool, pick: Pick) -> Iterator[tuple[str, str]]:
    """(kind, text); grounded: the short and medium ones may not leave the background out."""
    placed, framed = phrases.content + phrases.ground, phrases.framed + phrases.ground
    yield "tags", phrases.tags
    if grounded:
        yield "short", placed
        yield "medium", framed
    else:
        digits = pick(("words", "words", "words", "digits"), "numerals") == "digits"
        yield "short", phrases.in_digits if digits else phrases.content
        yield "medium", pick((placed, framed, phrases.framed), "medium")
    yield "long", phrases.long


def _style_of_all(scene: Scene) -> Style | None:
    """The style, when everything is drawn in it."""
    if scene.style is None or any(item.thing.noun in SHAPES for item in scene.objects):
        return None
    return STYLES[scene.style]


def _needs_its_ground(scene: Scene) -> bool:
    """Whether it is one drawing in its own colours, but not on white: who says "a penguin" means one on white."""
    alone = len(scene.objects) == 1 and not scene.writings and scene.objects[0].thing.paint is None
    return alone and not _is_on_white(scene)


def _has_colours(scene: Scene) -> bool:
    """Whether anything but a drawing's own black and white is to be seen: then it is no black and white drawing."""
    return any(item.thing.paint for item in scene.objects) or bool(scene.writings) or not _is_on_white(scene)


def _is_on_white(scene: Scene) -> bool:
    return [paint.name for paint in scene.background.paints] == ["white"]
