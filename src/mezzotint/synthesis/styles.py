"""The styles of the sprites: which package draws them, under which licence, and how a user would call them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mezzotint.runtime.packages import Package
from mezzotint.synthesis.artwork import Artwork, IconCollection, PictureFolder
from mezzotint.synthesis.concepts import EMOJIBASE, Language, code_of
from mezzotint.synthesis.package_files import read_json

Fetch = Callable[[Package], Path]  # from a package to its extracted folder

_FLUENT_CREDIT = "Fluent Emoji, copyright Microsoft Corporation"
_NOTO_CREDIT = "Noto Emoji, copyright Google Inc."


def _npm(name: str, version: str, sha256: str, licence: str, credit: str) -> Package:
    return Package(kind="npm", name=name, version=version, sha256=sha256, licence=licence, credit=credit)


FLUENT_3D = _npm(
    "@lobehub/fluent-emoji-3d",
    "1.1.0",
    "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
    "MIT",
    f"{_FLUENT_CREDIT}; packaged by LobeHub",
)
FLUENT_COLOUR = _npm(
    "@iconify-json/fluent-emoji",
    "1.2.7",
    "8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b",
    "MIT",
    _FLUENT_CREDIT,
)
FLUENT_FLAT = _npm(
    "@iconify-json/fluent-emoji-flat",
    "1.2.6",
    "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
    "MIT",
    _FLUENT_CREDIT,
)
FLUENT_LINE = _npm(
    "@iconify-json/fluent-emoji-high-contrast",
    "1.2.6",
    "0b92d48c90d2200bd499e3cdd09a127ca6a8c8ddefd34c35eb5a1e4994012ae0",
    "MIT",
    _FLUENT_CREDIT,
)
NOTO = _npm(
    "@iconify-json/noto",
    "1.2.9",
    "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
    "Apache-2.0",
    _NOTO_CREDIT,
)
NOTO_V1 = _npm(
    "@iconify-json/noto-v1",
    "1.2.5",
    "2bf62c26c2c2884aa99e90aec942cdaee17a5921f05690694f4978ad4b017c37",
    "Apache-2.0",
    _NOTO_CREDIT,
)
TWEMOJI = _npm(
    "@iconify-json/twemoji",
    "1.2.5",
    "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
    "CC-BY-4.0",
    "Twemoji, copyright Twitter, Inc. and other contributors",
)
FXEMOJI = _npm(
    "@iconify-json/fxemoji",
    "1.2.2",
    "f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef",
    "Apache-2.0",
    "FxEmojis, copyright Mozilla Foundation",
)


@dataclass(frozen=True, kw_only=True)
class Style:
    """One way of drawing. `names` are nouns that fit in "a … of a cat" and "一张猫的…"; `looks` describes it."""

    name: str
    package: Package
    names: Mapping[Language, tuple[str, ...]]
    looks: Mapping[Language, str]
    open: Callable[[Fetch], Artwork]
    recoloured_names: Mapping[Language, tuple[str, ...]] | None = None  # for a style without colours, once it gets one

    @property
    def coloured(self) -> bool:
        return self.recoloured_names is None

    def names_for(self, language: Language, recoloured: bool) -> tuple[str, ...]:
        """What to call a drawing in this style, as it is or with its colours changed."""
        names = self.recoloured_names if recoloured and self.recoloured_names else self.names
        return names[language]


def _icons(package: Package, names_from: Package) -> Callable[[Fetch], Artwork]:
    """A collection whose icons are named as in the `chars.json` of a sister collection (or of its own)."""

    def open_collection(fetch: Fetch) -> Artwork:
        names = read_json(fetch(names_from) / "package/chars.json")
        return IconCollection(fetch(package) / "package/icons.json", names)

    return open_collection


def _pictures(package: Package, folder: str) -> Callable[[Fetch], Artwork]:
    return lambda fetch: PictureFolder(fetch(package) / folder)


def _icons_by_unicode_name(package: Package, not_as_named: frozenset[str]) -> Callable[[Fetch], Artwork]:
    """A collection whose icons are named by their Unicode names, run together: `slotmachine`.

    The concepts `not_as_named` are left out: there the drawing is of something else.
    """

    def open_collection(fetch: Fetch) -> Artwork:
        names = read_json(fetch(EMOJIBASE) / "package/meta/unicode-names.json")
        run_together = {
            code_of(code): "".join(filter(str.isalnum, name.lower()))
            for code, name in names.items()
            if code_of(code) not in not_as_named
        }
        return IconCollection(fetch(package) / "package/icons.json", run_together)

    return open_collection


# A revolver for the water pistol, a piano's keys, a program's window, and a tram that is all black.
_FXEMOJI_OTHERS = frozenset({"1f52b", "2328", "1fa9f", "1f68b"})

_ALL = (
    Style(
        name="fluent-3d",
        package=FLUENT_3D,
        names={"en": ("3D render", "3D icon"), "zh": ("3D渲染图", "3D图标")},
        looks={"en": "soft light, rounded volumes and smooth shading", "zh": "光线柔和，造型圆润，明暗过渡平滑"},
        open=_pictures(FLUENT_3D, "package/assets"),
    ),
    Style(
        name="fluent-colour",
        package=FLUENT_COLOUR,
        names={"en": ("gradient icon", "glossy icon"), "zh": ("渐变图标", "光泽图标")},
        looks={"en": "bright color gradients and soft highlights", "zh": "色彩渐变鲜艳，带有柔和的高光"},
        open=_icons(FLUENT_COLOUR, FLUENT_FLAT),
    ),
    Style(
        name="fluent-flat",
        package=FLUENT_FLAT,
        names={"en": ("flat icon", "flat design icon"), "zh": ("扁平图标", "扁平化图标")},
        looks={"en": "flat colors and no shading", "zh": "纯色平涂，没有阴影"},
        open=_icons(FLUENT_FLAT, FLUENT_FLAT),
    ),
    Style(
        name="fluent-line",
        package=FLUENT_LINE,
        names={"en": ("black and white line drawing", "black line icon"), "zh": ("黑白线条画", "黑色线条图标")},
        looks={"en": "bold black lines and solid black shapes", "zh": "粗黑线条和黑色块面"},
        open=_icons(FLUENT_LINE, FLUENT_LINE),
        recoloured_names={"en": ("line drawing", "line icon"), "zh": ("线条画", "线条图标")},
    ),
    Style(
        name="noto",
        package=NOTO,
        names={"en": ("cartoon", "shaded cartoon illustration"), "zh": ("卡通画", "阴影卡通插画")},
        looks={"en": "rich colors, light shading and fine details", "zh": "色彩丰富，略带阴影，细节精致"},
        open=_icons(NOTO, NOTO),
    ),
    Style(
        name="noto-v1",
        package=NOTO_V1,
        names={"en": ("retro emoji", "vintage cartoon emoji"), "zh": ("复古表情符号", "旧式卡通表情符号")},
        looks={"en": "muted warm colors and simple shapes", "zh": "色调温暖柔和，造型简单"},
        open=_icons(NOTO_V1, NOTO),
    ),
    Style(
        name="twemoji",
        package=TWEMOJI,
        names={"en": ("clip-art picture", "simple vector illustration"), "zh": ("剪贴画", "简洁矢量插画")},
        looks={"en": "clean outlines and plain color areas", "zh": "轮廓清晰，色块简洁"},
        open=_icons(TWEMOJI, TWEMOJI),
    ),
    Style(
        name="fxemoji",
        package=FXEMOJI,
        names={"en": ("sticker", "flat sticker illustration"), "zh": ("贴纸", "扁平贴纸插画")},
        looks={"en": "plain shapes in strong colors", "zh": "造型简单，色彩浓烈"},
        open=_icons_by_unicode_name(FXEMOJI, not_as_named=_FXEMOJI_OTHERS),
    ),
)
STYLES: Mapping[str, Style] = {style.name: style for style in _ALL}
