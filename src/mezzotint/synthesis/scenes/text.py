"""Strings in real fonts: what can be written, and drawing it to fit a box."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from mezzotint.runtime.packages import Package
from mezzotint.synthesis.colours import Rgb
from mezzotint.synthesis.concepts import Language
from mezzotint.synthesis.styles import Fetch

DEJAVU = Package(
    kind="debian",
    name="fonts-dejavu-core",
    version="2.37-6",
    sha256="8892669e51aab4dc56682c8e39d8ddb7d70fad83c369344e1e240bf3ca22bb76",
    licence="Bitstream-Vera",
    credit="DejaVu fonts, copyright Bitstream, Inc., Tavmjong Bah and the DejaVu authors",
)
WENQUANYI = Package(
    kind="debian",
    name="fonts-wqy-microhei",
    version="0.2.0-beta-3.1",
    sha256="239163df984eea5c9da3b551aee374936222cdbd67f1a1be3cdcf3d76143ad66",
    licence="Apache-2.0",
    credit="WenQuanYi Micro Hei, copyright the WenQuanYi Project, based on Droid fonts by Google Corporation",
)
WENKAI = Package(
    kind="debian",
    name="fonts-lxgw-wenkai",
    version="1.250+repack-1",
    sha256="6d1e4c4aac78ad32062aefa2c836ee4d6e58f9dcf8b3f4407c9eefe304615318",
    licence="OFL-1.1",
    credit="LXGW WenKai, copyright lxgw",
)
_MEASURED_AT = 64  # pixels; sizes scale from there
_UNASSIGNED = "\U0010fffe"  # every font answers it with its sign for a missing glyph


@dataclass(frozen=True, kw_only=True)
class Font:
    """A font, and how one would describe its letters."""

    package: Package
    file: str  # in the package
    languages: tuple[Language, ...]
    looks: Mapping[Language, str]


_DEJAVU = "usr/share/fonts/truetype/dejavu/"
_WENKAI = "usr/share/fonts/truetype/lxgw-wenkai/"


def _font(package: Package, file: str, languages: tuple[Language, ...], english: str, chinese: str) -> Font:
    return Font(package=package, file=file, languages=languages, looks={"en": english, "zh": chinese})


FONTS: Mapping[str, Font] = {
    "sans": _font(DEJAVU, f"{_DEJAVU}DejaVuSans.ttf", ("en",), "sans-serif", "无衬线体"),
    "sans-bold": _font(DEJAVU, f"{_DEJAVU}DejaVuSans-Bold.ttf", ("en",), "bold", "粗体"),
    "serif": _font(DEJAVU, f"{_DEJAVU}DejaVuSerif.ttf", ("en",), "serif", "衬线体"),
    "serif-bold": _font(DEJAVU, f"{_DEJAVU}DejaVuSerif-Bold.ttf", ("en",), "bold serif", "粗衬线体"),
    "mono": _font(DEJAVU, f"{_DEJAVU}DejaVuSansMono-Bold.ttf", ("en",), "typewriter", "打字机字体"),
    "hei": _font(WENQUANYI, "usr/share/fonts/truetype/wqy/wqy-microhei.ttc", ("en", "zh"), "sans-serif", "黑体"),
    "kai": _font(WENKAI, f"{_WENKAI}LXGWWenKai-Regular.ttf", ("zh",), "brush-like", "楷体"),
    "kai-bold": _font(WENKAI, f"{_WENKAI}LXGWWenKai-Bold.ttf", ("zh",), "bold brush-like", "粗楷体"),
}


@cache
def words(language: Literal["en", "zh"]) -> Sequence[str]:
    """The words that scenes may show."""
    text = files("mezzotint.synthesis.scenes").joinpath(f"words_{language}.txt").read_text(encoding="utf-8")
    return tuple(dict.fromkeys(text.split()))


@cache
def alphabet(language: Language) -> str:
    """The characters of that language's words, capitals only, and the digits with the Latin letters."""
    digits = "0123456789" if language == "en" else ""
    return "".join(sorted({*digits, *"".join(words(language)).upper()}))


class Fonts:
    """The fonts that are there, opened once for each size."""

    def __init__(self, fetch: Fetch, names: Sequence[str] = tuple(FONTS)) -> None:
        self._paths: dict[str, Path] = {name: fetch(FONTS[name].package) / FONTS[name].file for name in names}
        self._opened: dict[tuple[str, int], ImageFont.FreeTypeFont] = {}
        self._writable: dict[tuple[str, str], bool] = {}

    def for_language(self, language: Language) -> list[str]:
        return [name for name in self._paths if language in FONTS[name].languages]

    def can_write(self, font: str, text: str) -> bool:
        """Whether the font has a glyph for every character."""
        return all(self._has(font, character) for character in text)

    def shape(self, font: str, text: str) -> float:
        """Width over height of the inked text."""
        left, top, right, bottom = self._open(font, _MEASURED_AT).getbbox(text)
        return float((right - left) / (bottom - top))

    def edges(self, font: str, text: str) -> list[float]:
        """Where each character begins, and where the last one ends, in shares of the inked text's width."""
        opened = self._open(font, _MEASURED_AT)
        left, _, right, _ = opened.getbbox(text)
        within = [(opened.getlength(text[:end]) - left) / (right - left) for end in range(1, len(text))]
        return [0.0, *within, 1.0]

    def draw(self, canvas: Image.Image, font: str, text: str, rgb: Rgb, box: tuple[int, int, int, int]) -> Image.Image:
        """Write the text on the canvas as large as fits the box, in its middle; returns where the ink is (mode "L")."""
        width, height = box[2] - box[0], box[3] - box[1]
        left, top, right, bottom = self._open(font, _MEASURED_AT).getbbox(text)
        size = max(6, int(_MEASURED_AT * min(width / (right - left), height / (bottom - top))))
        opened = self._open(font, size)
        left, top, right, bottom = opened.getbbox(text)
        place = (box[0] + (width - (right - left)) // 2 - left, box[1] + (height - (bottom - top)) // 2 - top)
        ink = Image.new("L", canvas.size, 0)
        ImageDraw.Draw(ink).text(place, text, fill=255, font=opened)
        canvas.paste(rgb, (0, 0), ink)
        return ink

    def _has(self, font: str, character: str) -> bool:
        key = (font, character)
        if key not in self._writable:
            opened = self._open(font, _MEASURED_AT)
            glyph, missing = (bytes(opened.getmask(c)) for c in (character, _UNASSIGNED))
            self._writable[key] = glyph != missing
        return self._writable[key]

    def _open(self, font: str, size: int) -> ImageFont.FreeTypeFont:
        key = (font, size)
        if key not in self._opened:
            self._opened[key] = ImageFont.truetype(str(self._paths[font]), size)
        return self._opened[key]
