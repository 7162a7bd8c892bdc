import numpy as np
import pytest
from PIL import Image, ImageDraw

from mezzotint.synthesis.colours import BACKGROUND_COLOURS, OBJECT_COLOURS, contrast, distance, lab, main_colour, shade


def test_known_values() -> None:
    """Published CIE L*a*b* (D65) of sRGB white and red; WCAG's contrast of black on white."""
    np.testing.assert_allclose(lab(np.array([255.0, 255.0, 255.0])), [100, 0, 0], atol=0.05)
    np.testing.assert_allclose(lab(np.array([255.0, 0.0, 0.0])), [53.24, 80.09, 67.20], atol=0.1)
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    assert distance((10, 20, 30), (10, 20, 30)) == 0.0


def test_a_shade_stays_nearest_to_its_own_name() -> None:
    rng = np.random.default_rng(0)
    for colours in (OBJECT_COLOURS, BACKGROUND_COLOURS):
        for name in colours:
            for _ in range(20):
                rgb = shade(name, rng).rgb
                assert min(colours, key=lambda other: distance(rgb, colours[other].rgb)) == name


def drawing(*bars: tuple[tuple[int, int, int], int]) -> Image.Image:
    """Bars of colours and widths, of 100 pixels in all, between clear margins."""
    picture = Image.new("RGBA", (100, 100))
    draw, left = ImageDraw.Draw(picture), 0
    for rgb, width in bars:
        draw.rectangle((left, 20, left + width - 1, 79), fill=rgb)
        left += width
    return picture


@pytest.mark.parametrize("name", OBJECT_COLOURS)
def test_the_main_colour_is_that_of_most_pixels(name: str) -> None:
    rgb = OBJECT_COLOURS[name].rgb
    other = OBJECT_COLOURS["red" if name != "red" else "green"].rgb
    assert main_colour(drawing((rgb, 75), (other, 25))) == OBJECT_COLOURS[name]
    assert main_colour(drawing((rgb, 50), (other, 50))) is None


def test_a_clear_drawing_and_a_shade_without_a_name_have_no_main_colour() -> None:
    assert main_colour(Image.new("RGBA", (64, 64))) is None
    assert main_colour(drawing(((210, 220, 240), 100))) is None
