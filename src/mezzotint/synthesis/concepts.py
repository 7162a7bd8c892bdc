"""What the sprites show: emojibase's concepts with their English and Chinese names, tags and groups."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from mezzotint.runtime.packages import Package
from mezzotint.synthesis.package_files import read_json

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

EMOJIBASE = Package(
    kind="npm",
    name="emojibase-data",
    version="17.0.0",
    sha256="d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
    licence="MIT",
    credit="Emojibase, copyright Miles Johnson; names and tags from Unicode CLDR",
)

_LEFT_OUT_GROUPS = {"component"}  # skin tones and hair styles are parts of other emoji
_LEFT_OUT_SUBGROUPS = {"country-flag", "subdivision-flag"}
_RENAMED = {  # by subgroup: the name stands for a sign, a symbol, a clock
    "warning": "{} sign",
    "transport-sign": "{} sign",
    "zodiac": "{} zodiac sign",
    "time": "clock showing {}",
}
_RENAMED_CHINESE = {"warning": "{}标志", "transport-sign": "{}标志", "zodiac": "{}符号", "time": "显示{}的钟"}
_HAIR = {"red hair": "红发", "curly hair": "卷发", "white hair": "白发", "blond hair": "金发"}


@dataclass(frozen=True, kw_only=True)
class Concept:
    """One thing that can be drawn, in any style."""

    code: str  # its Unicode code points, lower-case hexadecimal joined by "-", without the variation selector
    name: Mapping[Language, str]
    tags: Mapping[Language, tuple[str, ...]]
    group: str  # "food-drink"
    subgroup: str  # "food-fruit"


def code_of(hexcode: str) -> str:
    """The key of a concept in every package: lower case, without FE0F, which only some packages write."""
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")


def read_concepts(package: Path) -> list[Concept]:
    """The concepts in emojibase's order, without skin tones, national flags, mirror images and family constellations.

    Raises MissingFileError or FileFormatError when the folder is not that of emojibase-data.
    """
    labels = {language: read_json(package / f"package/{language}/data.json") for language in LANGUAGES}
    groups = read_json(package / "package/meta/groups.json")
    chinese = {entry["hexcode"]: entry for entry in labels["zh"]}
    concepts = []
    for entry in labels["en"]:
        if entry.get("group") is None:  # regional indicators
            continue
        group, subgroup = groups["groups"][str(entry["group"])], groups["subgroups"][str(entry["subgroup"])]
        if group in _LEFT_OUT_GROUPS or subgroup in _LEFT_OUT_SUBGROUPS or _is_variant(entry["label"]):
            continue
        entries: Mapping[Language, Any] = {"en": entry, "zh": chinese[entry["hexcode"]]}
        concepts.append(_concept(entries, group, subgroup))
    return concepts


def _is_variant(label: str) -> bool:
    return "facing right" in label or re.match(r"(family|kiss|couple with heart): ", label) is not None


def _concept(entries: Mapping[Language, Mapping[str, Any]], group: str, subgroup: str) -> Concept:
    code = code_of(entries["en"]["hexcode"])
    english, chinese = entries["en"]["label"], entries["zh"]["label"]
    name: dict[Language, str] = {
        "en": english_names().get(code) or _english_name(english, subgroup),
        "zh": _chinese_name(english, chinese, subgroup),
    }
    tags = {language: tuple(_tags(entries[language], name[language])) for language in LANGUAGES}
    return Concept(code=code, name=name, tags=tags, group=group, subgroup=subgroup)


@lru_cache(maxsize=1)
def english_names() -> Mapping[str, str]:
    """Names by code for the concepts whose list name is not what one would call the picture."""
    lines = files("mezzotint.synthesis").joinpath("english_names.tsv").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if not line.startswith("#"))
    return {pair[0]: pair[1] for pair in pairs}


def _english_name(label: str, subgroup: str) -> str:
    """Turn the list form "man: red hair" into words, "man with red hair", and "no entry" into "no entry sign"."""
    subject, colon, detail = label.partition(": ")
    if not colon:
        return _RENAMED[subgroup].format(label) if _is_renamed(label, subgroup) else label
    if detail == "bald":
        return f"bald {subject}"
    return f"{subject} with {'a ' if detail == 'beard' else ''}{detail}"


def _is_renamed(label: str, subgroup: str) -> bool:
    if subgroup == "time":
        return label.endswith(("o’clock", "-thirty"))
    return subgroup in _RENAMED and not label.endswith(("sign", "symbol"))


def _chinese_name(english: str, label: str, subgroup: str) -> str:
    subject, colon, detail = label.partition(": ")
    if not colon:
        return _RENAMED_CHINESE.get(subgroup, "{}").format(label) if _is_renamed(english, subgroup) else label
    if subject == "按键":
        return f"按键{detail}"
    return f"{_HAIR.get(english.partition(': ')[2], detail)}的{subject}"


def _tags(entry: Mapping[str, Any], name: str) -> Iterator[str]:
    for tag in entry.get("tags", ()):
        if tag != name:
            yield tag
