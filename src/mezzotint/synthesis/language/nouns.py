"""The nouns that can be counted, with their plural in English and their measure word in Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from mezzotint.synthesis.language import chinese, english


@dataclass(frozen=True, kw_only=True)
class Noun:
    """One countable thing in both languages."""

    code: str  # of the concept that it names
    singular: str
    plural: str
    chinese: str
    measure: str  # 个, 只, 朵 …

    def english_count(self, count: int) -> str:
        """ "three mice"."""
        return english.counted(count, self.singular, self.plural)

    def chinese_count(self, count: int) -> str:
        """ "三只老鼠"."""
        return chinese.counted(count, self.measure, self.chinese)


@lru_cache(maxsize=1)
def nouns() -> Mapping[str, Noun]:
    """Every noun by concept code, in the order of emojibase's groups."""
    text = files("mezzotint.synthesis.language").joinpath("nouns.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {
        code: Noun(code=code, singular=singular, plural=plural, chinese=zh, measure=measure)
        for code, singular, plural, zh, measure in rows
    }
