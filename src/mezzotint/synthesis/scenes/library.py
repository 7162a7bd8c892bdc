"""The sprites and photographs that scenes are made of, decoded once and kept."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from mezzotint.data.records import read_records
from mezzotint.errors import MissingFileError
from mezzotint.synthesis.artwork import render_svg
from mezzotint.synthesis.colours import Paint, Rgb
from mezzotint.synthesis.language.nouns import Noun, nouns
from mezzotint.synthesis.scenes.shapes import SHAPES, svg_of

_OPAQUE = 128  # alpha from which a pixel counts as the object's
_EDGE = 9  # pixels: the width of the band along the outline that must stand out from the background
_DECODED = 2400  # sprites kept decoded, about 0.15 MB each: all of the mini corpus
_SHAPE_SIDE = 320


@dataclass(frozen=True, eq=False)
class Cutout:
    """A picture of one thing, cropped to what can be seen of it."""

    picture: Image.Image  # RGBA
    edge: Rgb  # the mean colour along its outline

    @property
    def shape(self) -> float:
        """Width over height."""
        return self.picture.width / self.picture.height


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where sprites of a style come from."""

    source: str
    licence: str
    credit: str


class SpriteLibrary:
    """The sprites of a corpus' part "sprites" that can stand in scenes: the nouns that can be counted.

    Only sprites of the split "train" are taken, so that a scene never shows what another split keeps back.
    """

    def __init__(self, corpus: Path) -> None:
        self._encoded: dict[tuple[str, str], bytes] = {}
        self.origins: dict[str, Origin] = {}
        columns = ["picture", "concept", "style", "source", "licence", "credit"]
        for record in read_records(corpus, columns, parts=["sprites"], splits=["train"]):
            if record.concept is None or record.style is None or record.picture is None:
                continue
            if record.concept in nouns() and (record.concept, record.style) not in _NOT_ALONE:
                self._encoded[record.concept, record.style] = record.picture
                origin = Origin(source=record.source, licence=record.licence, credit=record.credit)
                self.origins[record.style] = origin
        if not self._encoded:
            raise MissingFileError(f"the sprites in {corpus} show nothing that scenes could use: build them again")
        self.styles = sorted(self.origins)
        self.cutout = lru_cache(_DECODED)(self._cutout)
        self.tinted = lru_cache(_DECODED // 4)(self._tinted)

    def codes(self, style: str) -> Sequence[str]:
        """The nouns drawn in a style, in a fixed order."""
        return [code for code in nouns() if (code, style) in self._encoded]

    def _cutout(self, code: str, style: str) -> Cutout:
        with Image.open(io.BytesIO(self._encoded[code, style])) as picture:
            return cut_out(picture.convert("RGBA"))

    def _tinted(self, code: str, style: str, rgb: Rgb) -> Cutout:
        return Cutout(picture=tint(self.cutout(code, style).picture, rgb), edge=rgb)

    def thing(self, noun: str, style: str | None, paint: Paint | None) -> Cutout:
        """What a scene's thing looks like."""
        if noun in SHAPES:
            assert paint is not None
            return shape_cutout(noun, paint.rgb)
        assert style is not None
        return self.tinted(noun, style, paint.rgb) if paint else self.cutout(noun, style)


def noun_of(name: str) -> Noun:
    """The words for a thing: a shape or a sprite."""
    return SHAPES[name].noun if name in SHAPES else nouns()[name]


@lru_cache(256)
def shape_cutout(name: str, rgb: Rgb) -> Cutout:
    drawn = cut_out(render_svg(svg_of(name, rgb), _SHAPE_SIDE))
    return Cutout(picture=drawn.picture, edge=rgb)


def cut_out(picture: Image.Image) -> Cutout:
    """Crop to the pixels that can be seen, and measure the outline's colour."""
    alpha = picture.getchannel("A")
    cropped = picture.crop(alpha.point(lambda a: 255 * (a > 16)).getbbox())
    pixels = np.asarray(cropped)
    solid = pixels[..., 3] >= _OPAQUE
    band = solid & ~_eroded(solid, _EDGE // 2)
    red, green, blue = (int(c) for c in pixels[band][:, :3].mean(axis=0).round())
    return Cutout(picture=cropped, edge=(red, green, blue))


def _eroded(solid: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    """The pixels with nothing but solid ones up to `reach` beside, above and below; outside the picture is nothing.

    A square is a row of a column, so one axis comes after the other.
    """
    for axis in (0, 1):
        padded = np.pad(solid, [(reach, reach) if axis == own else (0, 0) for own in (0, 1)])
        solid = np.asarray(sliding_window_view(padded, 2 * reach + 1, axis).all(-1))
    return solid


def tint(picture: Image.Image, rgb: Rgb) -> Image.Image:
    """The picture in shades of one colour: its light and dark stay, its hues go.

    The mean lightness becomes the colour itself, darker parts lean to its shadow, lighter ones to its highlight.
    """
    grey, alpha = picture.convert("RGB").convert("L"), picture.getchannel("A")
    levels = np.asarray(grey)[np.asarray(alpha) >= _OPAQUE]
    low, high = np.percentile(levels, (4, 96))
    span = max(high - low, 48.0)  # a drawing of one grey stays one colour
    middle = float(np.clip(levels.mean(), low + 0.15 * span, low + 0.85 * span))
    position = np.interp(np.arange(256), [middle - span / 2, middle, middle + span / 2], [-1.0, 0.0, 1.0])
    base = np.asarray(rgb, dtype=float)
    bright = base.mean() / 255
    shadow, highlight = base * (0.45 + 0.3 * bright), base + (255 - base) * (0.25 + 0.3 * bright)
    ramp = np.where(
        position[:, None] < 0,
        base + (base - shadow) * position[:, None],
        base + (highlight - base) * position[:, None],
    )
    table = np.clip(ramp.round(), 0, 255).astype(np.uint8)
    colours = table[np.asarray(grey)]
    return Image.merge("RGBA", (*Image.fromarray(colours).split(), alpha))


# A tent in a night landscape, desktop computers for laptops, two baguettes, a pair of boots, a group of notes.
_NOT_ALONE = frozenset(
    {
        ("26fa", "fxemoji"),
        ("1f4bb", "fxemoji"),
        ("1f4bb", "noto-v1"),
        ("1f956", "noto-v1"),
        ("1f462", "noto-v1"),
        ("1f3b5", "fxemoji"),
        ("1f952", "noto"),
    }
)
