"""What one could say of a scene: tags, short, medium and long captions in both languages, every word of it true."""

from collections.abc import Iterator, Sequence

from mezzotint.data.records import Caption
from mezzotint.synthesis import hashing
from mezzotint.synthesis.scenes import chinese_captions, english_captions
from mezzotint.synthesis.scenes.shapes import SHAPES
from mezzotint.synthesis.scenes.truth import Scene
from mezzotint.synthesis.styles import STYLES, Style


def captions(scene: Scene) -> Iterator[Caption]:
    """Captions of a rendered scene; the choice of words depends on its seed and index alone."""
    style = _style_of_all(scene)
    for language, describe in (("en", english_captions.describe), ("zh", chinese_captions.describe)):

        def pick(options: Sequence[str], choice: str, language: str = language) -> str:
            return hashing.pick(options, "caption", language, choice, scene.seed, scene.index)

        for kind, text in describe(scene, style, pick):
            yield Caption(kind=kind, language=language, text=text)


def _style_of_all(scene: Scene) -> Style | None:
    """The style, when everything is drawn in it."""
    if scene.style is None or any(item.thing.noun in SHAPES for item in scene.objects):
        return None
    return STYLES[scene.style]
