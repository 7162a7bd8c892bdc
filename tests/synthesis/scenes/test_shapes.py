import numpy as np

from mezzotint.synthesis.artwork import render_svg
from mezzotint.synthesis.scenes.shapes import SHAPES, svg_of


def test_every_shape_is_drawn_in_its_colour_alone() -> None:
    for name in SHAPES:
        pixels = np.asarray(render_svg(svg_of(name, (200, 40, 60)), 64))
        seen = pixels[pixels[..., 3] == 255][:, :3].astype(int)
        assert len(seen) > 500, name
        assert (seen[:, 0] > seen[:, 1] + 40).all(), name
        assert abs(seen.mean(axis=0) - (200, 40, 60)).max() < 45, name


def test_what_lies_inside_hides_less_than_a_fifth() -> None:
    for name, shape in SHAPES.items():
        if shape.room:
            alpha = np.asarray(render_svg(svg_of(name, (9, 9, 9)), 100).getchannel("A")) > 128
            half = int(50 * shape.room * 0.95)
            hidden = alpha[50 - half : 50 + half, 50 - half : 50 + half].sum()
            assert hidden <= 0.24 * alpha.sum(), name  # a square thing; drawings fill less of it
