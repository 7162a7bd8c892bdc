import numpy as np

from mezzotint.synthesis.colours import Paint
from mezzotint.synthesis.scenes import backgrounds
from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.truth import Background

RED, BLUE = Paint(name="red", rgb=(200, 0, 0)), Paint(name="blue", rgb=(0, 0, 200))


def pixels(background: Background, props: Props) -> np.ndarray:
    return np.asarray(backgrounds.draw(background, (96, 64), props.photographs)).astype(int)


def test_plain(props: Props) -> None:
    assert (pixels(Background(kind="plain", paints=(RED,)), props) == (200, 0, 0)).all()


def test_a_gradient_goes_from_its_first_colour_to_its_second(props: Props) -> None:
    down = pixels(Background(kind="gradient", paints=(RED, BLUE)), props)
    assert abs(down[0] - (200, 0, 0)).max() <= 2
    assert abs(down[-1] - (0, 0, 200)).max() <= 2
    assert (np.diff(down[:, 0, 2]) >= 0).all()
    right = pixels(Background(kind="gradient", paints=(RED, BLUE), direction="right"), props)
    assert abs(right[:, 0] - (200, 0, 0)).max() <= 2
    assert abs(right[:, -1] - (0, 0, 200)).max() <= 2


def test_stripes_lie_as_said(props: Props) -> None:
    """Direction "down": the colour changes on the way down, so the stripes are horizontal."""
    horizontal = pixels(Background(kind="stripes", paints=(RED, BLUE)), props)
    assert (horizontal == horizontal[:, :1]).all()
    shares = [(abs(horizontal - paint.rgb).max(axis=-1) <= 8).mean() for paint in (RED, BLUE)]
    assert min(shares) > 0.3
    vertical = pixels(Background(kind="stripes", paints=(RED, BLUE), direction="right"), props)
    assert (vertical == vertical[:1]).all()


def test_dots_have_the_second_colour(props: Props) -> None:
    dots = pixels(Background(kind="dots", paints=(RED, BLUE)), props)
    ground, spots = ((abs(dots - paint.rgb).max(axis=-1) <= 8).mean() for paint in (RED, BLUE))
    assert ground > 0.6
    assert 0.1 < spots < 0.35


def test_photographs_fill_the_picture_and_have_their_colours(props: Props) -> None:
    for name in backgrounds.PHOTOGRAPHS:
        corners = [
            pixels(Background(kind="photograph", photograph=name, offset=offset), props)
            for offset in ((0.0, 0.0), (1.0, 1.0))
        ]
        assert corners[0].shape == (64, 96, 3)
        assert (corners[0] != corners[1]).any()
        assert corners[0].std() > 8
    red, green, blue = props.photographs.colours["grass"]
    assert green > red > blue
    red, green, blue = props.photographs.colours["brick"]
    assert red > green > blue
