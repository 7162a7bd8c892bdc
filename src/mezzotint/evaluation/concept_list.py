"""The 200 concepts that the suites ask for: everyday nouns, fixed before any model was measured on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TypeVar

from mezzotint.synthesis.concepts import LANGUAGES, Language
from mezzotint.synthesis.language import english
from mezzotint.synthesis.language.nouns import nouns
from mezzotint.synthesis.styles import Style

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Concept:
    """One thing to ask for. `prompts` has the simplest form of the corpus' captions: "a dog", "一只狗"."""

    category: str
    code: str  # in the corpus
    prompts: dict[Language, str]

    def styled(self, style: Style, language: Language) -> str:
        """ "a 3D render of a dog", "狗的3D渲染图"."""
        look = style.names[language][0]
        if language == "en":
            return f"{english.article(look)} {look} of {self.prompts['en']}"
        return f"{nouns()[self.code].chinese}的{look}"


@lru_cache(maxsize=1)
def concepts() -> tuple[Concept, ...]:
    """All 200, category by category."""
    lines = files("mezzotint.evaluation").joinpath("concepts.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return tuple(
        Concept(category=category, code=code, prompts=dict(zip(LANGUAGES, prompts, strict=True)))
        for category, code, *prompts in rows
    )


def spread(items: Sequence[T], count: int | None) -> list[T]:
    """`count` of the items, evenly spaced, so that every part of a sorted list is met; all when None."""
    if count is None or count >= len(items):
        return list(items)
    return [items[position * len(items) // count] for position in range(count)]
