"""Where things go: boxes that keep off each other, on a canvas of any aspect ratio.

Lengths here are in units of the square root of the canvas' area, so that a size means the same on every canvas.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mezzotint.synthesis.scenes.truth import Box

_MARGIN = 0.03  # kept free along the canvas' edge
_TRIES = 60


@dataclass(frozen=True, kw_only=True)
class Rectangle:
    left: float
    top: float
    width: float
    height: float

    def overlaps(self, other: "Rectangle", gap: float) -> bool:
        return (
            self.left < other.left + other.width + gap
            and other.left < self.left + self.width + gap
            and self.top < other.top + other.height + gap
            and other.top < self.top + self.height + gap
        )


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """Width × height is 1."""

    width: float
    height: float

    @staticmethod
    def of(aspect: tuple[int, int]) -> "Canvas":
        width = (aspect[0] / aspect[1]) ** 0.5
        return Canvas(width=width, height=1 / width)

    def box(self, rectangle: Rectangle) -> Box:
        """In shares of the canvas."""
        return Box(
            left=rectangle.left / self.width,
            top=rectangle.top / self.height,
            width=rectangle.width / self.width,
            height=rectangle.height / self.height,
        )

    def part(self, left: float, top: float, right: float, bottom: float) -> Rectangle:
        """A part of the canvas, given in shares."""
        width, height = (right - left) * self.width, (bottom - top) * self.height
        return Rectangle(left=left * self.width, top=top * self.height, width=width, height=height)


def fit(shape: float, size: float, room: Rectangle) -> tuple[float, float]:
    """Width and height of a thing with that width over height: √(width·height) is `size`, or less to fit the room."""
    width, height = size * shape**0.5, size / shape**0.5
    shrink = min(1.0, room.width / width, room.height / height)
    return width * shrink, height * shrink


def within(rng: np.random.Generator, shape: float, size: float, room: Rectangle) -> Rectangle:
    """A thing anywhere in the room."""
    width, height = fit(shape, size, room)
    left = room.left + rng.uniform() * (room.width - width)
    top = room.top + rng.uniform() * (room.height - height)
    return Rectangle(left=left, top=top, width=width, height=height)


def centred(shape: float, size: float, room: Rectangle) -> Rectangle:
    """A thing in the middle of the room."""
    width, height = fit(shape, size, room)
    left, top = room.left + (room.width - width) / 2, room.top + (room.height - height) / 2
    return Rectangle(left=left, top=top, width=width, height=height)


def inner(canvas: Canvas) -> Rectangle:
    """The canvas without its margin."""
    return Rectangle(left=_MARGIN, top=_MARGIN, width=canvas.width - 2 * _MARGIN, height=canvas.height - 2 * _MARGIN)


def scatter(
    rng: np.random.Generator,
    shapes: Sequence[float],
    sizes: Sequence[float],
    room: Rectangle,
    taken: Sequence[Rectangle] = (),
    gap: float = 0.025,
) -> list[Rectangle]:
    """Things anywhere in the room, at least `gap` apart; all become smaller until they find a place."""
    shrink = 1.0
    while True:
        placed: list[Rectangle] = []
        for shape, size in zip(shapes, sizes, strict=True):
            for _ in range(_TRIES):
                tried = within(rng, shape, size * shrink, room)
                if not any(tried.overlaps(other, gap) for other in (*placed, *taken)):
                    placed.append(tried)
                    break
            else:
                break
        if len(placed) == len(shapes):
            return placed
        shrink *= 0.92


def in_rows(rng: np.random.Generator, shape: float, count: int, fill: float, room: Rectangle) -> list[Rectangle]:
    """`count` equal things in even rows; `fill` is the share of a cell's side that a thing takes."""
    wide = room.width >= room.height * 0.9
    columns = count if count <= 3 and wide else max(1, round((count * room.width / room.height) ** 0.5))
    rows = -(-count // columns)
    cell_width, cell_height = room.width / columns, room.height / rows
    size = fill * min(cell_width / shape**0.5, cell_height * shape**0.5)
    shift = rng.uniform(-0.1, 0.1) * (room.height - cell_height) if rows == 1 else 0.0
    placed = []
    for position in range(count):
        row, column = divmod(position, columns)
        in_row = min(columns, count - row * columns)
        left = room.left + (column + (columns - in_row) / 2) * cell_width
        cell = Rectangle(left=left, top=room.top + row * cell_height + shift, width=cell_width, height=cell_height)
        placed.append(centred(shape, size, cell))
    return placed
