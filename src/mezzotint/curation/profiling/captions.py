"""What the text beside a picture is: its language, its length, and whether it is a caption at all."""

import re
from functools import cache

from tokenizers import Tokenizer

from mezzotint.models.bundle import EMBEDDED

# The share of a text's letters that must be of a script for its language; scripts that one language has almost alone.
_SCRIPTS = {
    "ja": r"[\u3040-\u30ff]",
    "ko": r"[\uac00-\ud7af\u1100-\u11ff]",
    "zh": r"[\u3400-\u9fff\uf900-\ufaff]",
    "ru": r"[\u0400-\u04ff]",
    "ar": r"[\u0600-\u06ff]",
    "hi": r"[\u0900-\u097f]",
    "el": r"[\u0370-\u03ff]",
    "he": r"[\u0590-\u05ff]",
    "th": r"[\u0e00-\u0e7f]",
}
_LEAST = 0.2
_WORDS = {  # frequent words that the others of these languages do not have
    "en": "the and of with is are in on at by from this that it for to an",
    "de": "der die das und ist mit von auf dem den ein eine einer im zum für nicht",
    "fr": "le les des et est dans sur avec une du pour au aux par",
    "es": "el los las y es en con una del para por un se",
    "it": "il lo gli e è di che con una del della per nel",
    "pt": "o os as e é em com uma do da para por um no na",
    "nl": "de het een van en met op voor niet zijn",
}

_FILE_NAME = re.compile(
    r"^\S*\.(jpe?g|png|gif|webp|bmp|tiff?|svg|heic|raw)$|^[\w-]*\d{3,}[\w-]*$|^\S*[_\-]\S*\d+$", re.I | re.ASCII
)
_CAMERA = re.compile(r"^(img|dsc[nf]?|dscf|pict?|image|photo|scan|screenshot|mvimg|pxl|wp)[\s_-]*\d+", re.I)
_ADDRESS = re.compile(r"^(https?://|www\.)\S+$", re.I)
_TEMPLATE = re.compile(
    r"^(an? |the )?(image|picture|photo|photograph|untitled|thumbnail|icon|logo|alt text|placeholder|null|none|n/?a"
    r"|undefined|default|no (caption|description|image|title)( available)?|image may contain.*"
    r"|click (here )?to (enlarge|view|zoom).*"
    r"|stock (photo|image|illustration)s?|loading.*|图片|图像|照片|无标题|暂无(图片|描述)?|点击(查看|放大).*)[.!…。]*$",
    re.I,
)
_SLOT = re.compile(r"\{\{?\s*\w+\s*\}?\}|%\(?\w+\)?s|<[a-z/][^>]*>|\$\{\w+\}", re.I)
_REFUSAL = re.compile(
    r"\bi('| a)?m sorry\b|^as an ai\b|\bas an ai (language )?(model|assistant)\b"
    r"|\bi (cannot|can't|am (not able|unable) to|'m (not able|unable) to) "
    r"(describe|identify|help|assist|provide|see|view|generate|comply)"
    r"|^(很|非常)?(抱歉|对不起)|作为一个?(人工智能|ai)|我(无法|不能)(描述|识别|提供|看|查看|生成|帮)",
    re.I,
)


def caption_language(text: str) -> str:
    """An ISO 639-1 code, by script and for Latin letters by frequent words; "und" for no letters or no such word.

    A few words without any of those, all in ASCII, count as English.
    """
    letters = sum(character.isalpha() for character in text)
    if not letters:
        return "und"
    for language, script in _SCRIPTS.items():
        if len(re.findall(script, text)) >= _LEAST * letters:
            return language
    words = re.findall(r"[^\W\d_]+", text.lower())
    votes = {language: sum(word in _frequent(language) for word in words) for language in _WORDS}
    best = max(votes, key=lambda language: votes[language])
    return best if votes[best] else "en" if text.isascii() else "und"


@cache
def _frequent(language: str) -> frozenset[str]:
    return frozenset(_WORDS[language].split())


def caption_tokens(text: str) -> int:
    """How many tokens the text has, by the vocabulary that comes with the package; a larger one needs fewer."""
    return len(_tokenizer().encode(text).ids)


@cache
def _tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(EMBEDDED / "mini" / "tokenizer" / "tokenizer.json"))


def invalid_caption(text: str) -> str | None:
    """Why a text says nothing of a picture: "empty", "file name", "address", "template", "refusal"; None if it may."""
    text = " ".join(text.split())
    if not any(character.isalpha() for character in text):
        return "empty"
    if _ADDRESS.match(text):
        return "address"
    if _CAMERA.match(text) or _FILE_NAME.match(text):
        return "file name"
    if _TEMPLATE.match(text) or _SLOT.search(text):
        return "template"
    if _REFUSAL.search(text):
        return "refusal"
    return None
