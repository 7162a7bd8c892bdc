"""Drawing a scene, and measuring what came of it."""

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int16
from PIL import Image

from mezzotint.synthesis.scenes import backgrounds
from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.truth import Box, Object, Scene, Writing, pixel_size

_SOLID = 128  # alpha from which a pixel belongs to an object
_INKED = 64  # alpha from which it belongs to a letter, whose strokes can be thinner than a pixel


class Rendered(NamedTuple):
    """A picture (RGB) and its truth: the scene with the boxes and visible shares that the pixels have."""

    picture: Image.Image
    scene: Scene


def render(scene: Scene, side: int, props: Props) -> Rendered:
    """Draw a scene with about `side`² pixels, its width and height multiples of 16."""
    size = pixel_size(scene.aspect, side)
    canvas = backgrounds.draw(scene.background, size, props.photographs)
    owner = np.full((size[1], size[0]), -1, dtype=np.int16)  # which object each pixel shows
    drawn = [_paste(canvas, owner, number, item, scene, props) for number, item in enumerate(scene.objects)]
    objects = tuple(_measured(scene.objects[number], *drawn[number], owner == number) for number in range(len(drawn)))
    writings = tuple(_write(canvas, writing, props) for writing in scene.writings)
    return Rendered(canvas, dataclasses.replace(scene, objects=objects, writings=writings))


def _paste(
    canvas: Image.Image, owner: Int16[np.ndarray, "h w"], number: int, item: Object, scene: Scene, props: Props
) -> tuple[Box, int]:
    """Draw one object; returns the box of its solid pixels and their number."""
    cutout = props.sprites.thing(item.thing.noun, scene.style, item.thing.paint)
    left, top, right, bottom = _pixels(item.box, canvas.size)
    scale = min((right - left) / cutout.picture.width, (bottom - top) / cutout.picture.height)
    width, height = (max(1, round(length * scale)) for length in cutout.picture.size)
    left, top = left + (right - left - width) // 2, top + (bottom - top - height) // 2
    drawn = cutout.picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
    canvas.paste(drawn, (left, top), drawn)
    solid = drawn.getchannel("A").point(_is_solid)
    owner[top : top + height, left : left + width][np.asarray(solid) > 0] = number
    seen = solid.getbbox()
    assert seen is not None
    box = _box((left + seen[0], top + seen[1], left + seen[2], top + seen[3]), canvas.size)
    return box, solid.histogram()[255]


def _is_solid(alpha: int) -> int:
    return 255 * (alpha >= _SOLID)


def _measured(item: Object, box: Box, area: int, shown: Bool[np.ndarray, "h w"]) -> Object:
    visible = float(np.count_nonzero(shown)) / area
    return dataclasses.replace(item, box=box, visible=round(visible, 4))


def _write(canvas: Image.Image, writing: Writing, props: Props) -> Writing:
    ink = props.fonts.draw(canvas, writing.font, writing.text, writing.paint.rgb, _pixels(writing.box, canvas.size))
    inked = ink.point(lambda value: 255 * (value >= _INKED)).getbbox()
    assert inked is not None
    return dataclasses.replace(writing, box=_box(inked, canvas.size))


def _pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    left, top = round(box.left * width), round(box.top * height)
    return left, top, round((box.left + box.width) * width), round((box.top + box.height) * height)


def _box(pixels: tuple[int, int, int, int], size: tuple[int, int]) -> Box:
    left, top, right, bottom = pixels
    width, height = size
    return Box(left=left / width, top=top / height, width=(right - left) / width, height=(bottom - top) / height)
