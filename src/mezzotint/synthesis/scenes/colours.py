"""The named colours, their words, and how far two shades lie apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from mezzotint.synthesis.scenes.truth import Paint, Rgb


@dataclass(frozen=True, kw_only=True)
class Colour:
    """A colour that has a name. Chinese: before 的, as in 红色的."""

    english: str
    chinese: str
    rgb: Rgb  # its middle shade, sRGB


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


def shade(name: str, rng: np.random.Generator) -> Paint:
    """The named colour, a little lighter or darker and a little off: at most 8 levels a channel and 8 in all."""
    middle = np.asarray(BACKGROUND_COLOURS[name].rgb, dtype=float)
    shifted = middle + rng.uniform(-8, 8) + rng.uniform(-8, 8, 3)
    return Paint(name=name, rgb=_rgb(np.clip(shifted, 0, 255).round()))


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
