import dataclasses
import itertools

import numpy as np
import pytest

from mezzotint.synthesis.scenes import backgrounds
from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.renderer import Rendered, render
from mezzotint.synthesis.scenes.sampler import sample_scene
from mezzotint.synthesis.scenes.shapes import SHAPES
from mezzotint.synthesis.scenes.truth import Box, Scene, pixel_size


def difference(one: Rendered, props: Props, objects: int = 0) -> np.ndarray:
    """Where a picture differs from the same scene with only its first `objects` objects and no text."""
    sampled = sample_scene(one.scene.seed, one.scene.index, props)  # measuring may trim a box by a pixel
    bare = dataclasses.replace(sampled, objects=sampled.objects[:objects], writings=())
    without = np.asarray(render(bare, 128, props).picture).astype(int)
    return np.abs(np.asarray(one.picture).astype(int) - without).max(axis=-1)


def blobs(mask: np.ndarray) -> int:
    """How many connected areas (4 neighbours) a mask has."""
    mask, count = mask.copy(), 0
    while mask.any():
        count += 1
        stack = [tuple(np.argwhere(mask)[0])]
        while stack:
            y, x = stack.pop()
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x]:
                mask[y, x] = False
                stack += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    return count


def pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top = round(box.left * size[0]), round(box.top * size[1])
    return left, top, left + round(box.width * size[0]), top + round(box.height * size[1])


def test_the_picture_has_the_size_of_its_aspect_ratio(rendered: list[Rendered]) -> None:
    for picture, scene in rendered:
        assert picture.mode == "RGB"
        assert picture.size == pixel_size(scene.aspect, 128)


def test_drawing_again_gives_the_same_picture(rendered: list[Rendered], props: Props) -> None:
    for index in (0, 17, 80):
        again = render(sample_scene(7, index, props), 128, props)
        assert again.scene == rendered[index].scene
        assert again.picture.tobytes() == rendered[index].picture.tobytes()


def test_there_are_as_many_things_as_the_truth_says(props: Props) -> None:
    """Shapes of one piece, counted in the pixels."""
    scenes = (sample_scene(1, index, props) for index in itertools.count())
    shapes = (scene for scene in scenes if scene.kind == "counting" and scene.objects[0].thing.noun in SHAPES)
    for scene in itertools.islice(shapes, 12):
        one = render(scene, 128, props)
        assert blobs(difference(one, props) > 24) == len(one.scene.objects), one.scene


def test_a_measured_box_is_where_the_pixels_changed(rendered: list[Rendered], props: Props) -> None:
    checked = 0
    for one in rendered:
        if one.scene.kind == "backdrop" and one.scene.background.kind == "plain":
            changed = np.argwhere(difference(one, props) > 100)
            left, top, right, bottom = pixels(one.scene.objects[0].box, one.picture.size)
            (y0, x0), (y1, x1) = changed.min(axis=0), changed.max(axis=0) + 1
            assert left - 1 <= x0
            assert top - 1 <= y0
            assert x1 <= right + 1
            assert y1 <= bottom + 1
            checked += 1
    assert checked > 5


def test_nothing_is_hidden_by_more_than_a_fifth(rendered: list[Rendered]) -> None:
    shares = [item.visible for _, scene in rendered for item in scene.objects]
    assert min(shares) >= 0.8
    assert max(shares) == 1.0


def test_hiding_is_measured(rendered: list[Rendered], props: Props) -> None:
    """The same object twice in one place: the first is not to be seen at all."""
    scene = next(scene for _, scene in rendered if scene.kind == "backdrop")
    twice = dataclasses.replace(scene, objects=scene.objects * 2)
    assert [item.visible for item in render(twice, 128, props).scene.objects] == [0.0, 1.0]


def test_text_is_where_the_truth_says(rendered: list[Rendered], props: Props) -> None:
    checked = 0
    for one in rendered:
        if one.scene.writings:
            everything = len(one.scene.objects)
            changed = np.argwhere(difference(one, props, objects=everything) > 90)
            left, top, right, bottom = pixels(one.scene.writings[0].box, one.picture.size)
            assert (changed >= (top - 1, left - 1)).all()
            assert (changed < (bottom + 1, right + 1)).all()
            assert bottom - top >= 10
            checked += 1
    assert checked > 10


@pytest.mark.parametrize("side", [64, 128, 256])
def test_the_truth_does_not_depend_on_the_size(rendered: list[Rendered], props: Props, side: int) -> None:
    scene: Scene = rendered[3].scene
    drawn = render(scene, side, props).scene
    for one, other in zip(scene.objects, drawn.objects, strict=True):
        for name in ("left", "top", "width", "height"):
            assert getattr(one.box, name) == pytest.approx(getattr(other.box, name), abs=0.04)


def test_no_background_is_left_unpainted(rendered: list[Rendered], props: Props) -> None:
    for one in rendered[:40]:
        behind = np.asarray(backgrounds.draw(one.scene.background, one.picture.size, props.photographs))
        untouched = difference(one, props) == 0
        assert (np.asarray(one.picture)[untouched] == behind[untouched]).all()
