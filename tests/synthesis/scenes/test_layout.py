from itertools import combinations

import numpy as np
import pytest

from mezzotint.synthesis.scenes.layout import Canvas, Rectangle, centred, fit, in_rows, inner, scatter, within

CANVASES = [Canvas.of(aspect) for aspect in ((1, 1), (3, 2), (2, 3))]


def is_inside(rectangle: Rectangle, room: Rectangle) -> bool:
    return (
        rectangle.left >= room.left - 1e-9
        and rectangle.top >= room.top - 1e-9
        and rectangle.left + rectangle.width <= room.left + room.width + 1e-9
        and rectangle.top + rectangle.height <= room.top + room.height + 1e-9
    )


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("count", range(1, 7))
def test_things_keep_off_each_other_and_stay_inside(canvas: Canvas, count: int) -> None:
    rng = np.random.default_rng(count)
    room = inner(canvas)
    for shape in (0.4, 1.0, 2.2):
        rows = in_rows(rng, shape, count, 0.9, room)
        loose = scatter(rng, [shape] * count, [0.7 / count**0.5] * count, room)
        for placed in (rows, loose):
            assert len(placed) == count
            assert not any(a.overlaps(b, 0.0) for a, b in combinations(placed, 2))
            assert all(is_inside(rectangle, room) for rectangle in placed)
            assert all(rectangle.width / rectangle.height == pytest.approx(shape) for rectangle in placed)


def test_scatter_keeps_off_what_is_taken() -> None:
    room = inner(CANVASES[0])
    taken = centred(1.0, 0.5, room)
    for placed in scatter(np.random.default_rng(0), [1.0] * 3, [0.3] * 3, room, [taken]):
        assert not placed.overlaps(taken, 0.0)


def test_sizes_mean_the_same_on_every_canvas() -> None:
    for canvas in CANVASES:
        width, height = fit(2.0, 0.3, inner(canvas))
        assert width * height == pytest.approx(0.09)
        assert canvas.width * canvas.height == pytest.approx(1.0)


def test_boxes_are_shares() -> None:
    canvas = CANVASES[1]
    box = canvas.box(canvas.part(0.25, 0.5, 0.75, 1.0))
    assert (box.left, box.top, box.width, box.height) == pytest.approx((0.25, 0.5, 0.5, 0.5))
    assert is_inside(within(np.random.default_rng(1), 1.5, 3.0, inner(canvas)), inner(canvas))
