"""The named colours, their words, and how far two shades lie apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from PIL import Image

Rgb = tuple[int, int, int]  # sRGB, 0 to 255


@dataclass(frozen=True, kw_only=True)
class Colour:
    """A colour that has a name. Chinese: before 的, as in 红色的."""

    english: str
    chinese: str
    rgb: Rgb  # its middle shade, sRGB


@dataclass(frozen=True, kw_only=True)
class Paint:
    """A named colour and the shade of it that is used."""

    name: str
    rgb: Rgb


def _colours(*rows: tuple[str, str, Rgb]) -> Mapping[str, Colour]:
    return {english: Colour(english=english, chinese=chinese, rgb=rgb) for english, chinese, rgb in rows}


OBJECT_COLOURS = _colours(
    ("red", "红色", (214, 40, 40)),
    ("orange", "橙色", (246, 130, 20)),
    ("yellow", "黄色", (250, 210, 30)),
    ("green", "绿色", (40, 160, 70)),
    ("turquoise", "青色", (40, 190, 190)),
    ("blue", "蓝色", (35, 95, 215)),
    ("purple", "紫色", (125, 60, 195)),
    ("pink", "粉色", (245, 130, 180)),
    ("brown", "棕色", (125, 78, 45)),
    ("black", "黑色", (22, 22, 24)),
    ("white", "白色", (250, 250, 250)),
    ("gray", "灰色", (140, 140, 145)),
)
_TINTS = _colours(
    ("light blue", "浅蓝色", (170, 212, 245)),
    ("light green", "浅绿色", (180, 226, 175)),
    ("light yellow", "浅黄色", (253, 243, 180)),
    ("light pink", "浅粉色", (252, 214, 226)),
    ("light gray", "浅灰色", (215, 216, 220)),
    ("light purple", "浅紫色", (214, 196, 240)),
    ("dark blue", "深蓝色", (22, 36, 92)),
    ("dark green", "深绿色", (20, 70, 42)),
    ("dark red", "深红色", (110, 18, 24)),
    ("dark gray", "深灰色", (66, 67, 72)),
)
BACKGROUND_COLOURS: Mapping[str, Colour] = {**OBJECT_COLOURS, **_TINTS}

# Words of a name that says its colour.
COLOUR_WORDS = frozenset({*OBJECT_COLOURS, "grey", "blond", "rainbow"})

# Further shades that go by a name in drawings, chosen by eye; those of "" have none that people would agree on.
_FURTHER_SHADES: Mapping[str, tuple[Rgb, ...]] = {
    "red": ((170, 25, 35), (230, 45, 85)),
    "yellow": ((255, 225, 110),),
    "green": ((130, 190, 70), (25, 90, 55)),
    "blue": ((80, 165, 240),),
    "purple": ((160, 125, 215),),
    "pink": ((250, 185, 190),),
    "brown": ((185, 135, 95), (80, 50, 40)),
    "black": ((45, 45, 50), (65, 55, 85)),
    "gray": ((95, 98, 105), (180, 182, 188)),
    "": ((200, 225, 245), (214, 205, 235), (225, 180, 140), (150, 175, 195)),
}
_MAIN_SHARE = 0.6  # of the pixels that must have the main colour
_SAME_COLOUR = 30.0  # CIE 1976 difference up to which a pixel goes by a shade's name
_SMALL = 32  # pixels a side in which a drawing's colours are counted
_SEEN = 200  # alpha from which a pixel counts


def shade(name: str, rng: np.random.Generator) -> Paint:
    """The named colour, a little lighter or darker and a little off: at most 8 levels a channel and 8 in all."""
    middle = np.asarray(BACKGROUND_COLOURS[name].rgb, dtype=float)
    shifted = middle + rng.uniform(-8, 8) + rng.uniform(-8, 8, 3)
    return Paint(name=name, rgb=_rgb(np.clip(shifted, 0, 255).round()))


def main_colour(drawing: Image.Image) -> Colour | None:
    """The colour by which one would call an RGBA drawing: that of most of its pixels, if any."""
    pixels = np.asarray(drawing.resize((_SMALL, _SMALL), Image.Resampling.BOX), dtype=float)
    seen = pixels[pixels[..., 3] > _SEEN, :3]
    if not len(seen):
        return None
    names, shades = _named_shades()
    far = np.linalg.norm(lab(seen)[:, None] - shades, axis=-1)
    nearest = names[far.argmin(axis=1)]
    nearest[far.min(axis=1) > _SAME_COLOUR] = ""
    for name in OBJECT_COLOURS:
        if np.mean(nearest == name) >= _MAIN_SHARE:
            return OBJECT_COLOURS[name]
    return None


@lru_cache(maxsize=1)
def _named_shades() -> tuple[np.ndarray, Float[np.ndarray, "n 3"]]:
    """Names, and shades in L*a*b*."""
    rows = [(name, colour.rgb) for name, colour in OBJECT_COLOURS.items()]
    rows += [(name, rgb) for name, shades in _FURTHER_SHADES.items() for rgb in shades]
    names, shades = zip(*rows, strict=True)
    return np.array(names), lab(np.array(shades, dtype=float))


@lru_cache(4096)
def distance(a: Rgb, b: Rgb) -> float:
    """CIE 1976 colour difference: about 2 can just be seen, 100 is black to white."""
    return float(np.linalg.norm(lab(np.asarray(a, dtype=float)) - lab(np.asarray(b, dtype=float))))


@lru_cache(4096)
def contrast(a: Rgb, b: Rgb) -> float:
    """WCAG 2 contrast ratio, 1 to 21."""
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: Float[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 3"]:
    """CIE L*a*b* (D65) of sRGB values from 0 to 255."""
    xyz = _linear(rgb) @ _TO_XYZ.T / _WHITE
    cube_root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(cube_root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.089])


def _linear(rgb: Float[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 3"]:
    share = rgb / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _luminance(rgb: Rgb) -> float:
    return float(_linear(np.asarray(rgb, dtype=float)) @ _TO_XYZ[1])


def _rgb(values: Float[np.ndarray, "3"]) -> Rgb:
    red, green, blue = (int(value) for value in values)
    return red, green, blue
