import numpy as np

from mezzotint.synthesis.colours import distance
from mezzotint.synthesis.scenes.casting import STANDS_OUT, Casting, Props, is_paintable
from mezzotint.synthesis.scenes.shapes import SHAPES


def casting(props: Props, seed: int = 0) -> Casting:
    return Casting(rng=np.random.default_rng(seed), props=props, aspect=(1, 1), style="noto")


def test_a_name_that_says_a_colour_is_not_painted() -> None:
    assert not is_paintable("1f34e")  # red apple
    assert not is_paintable("1f34a")  # orange
    assert is_paintable("1f408")


def test_things_differ_where_they_must(props: Props) -> None:
    choices = casting(props)
    for _ in range(60):
        first = choices.painted(0.5, choices.paint())
        assert first.paint is not None
        second = choices.painted(0.5, choices.paint(without=[first.paint.name]), without=[first])
        assert second.noun != first.noun
        assert second.paint is not None
        assert second.paint.name != first.paint.name
        assert first.noun in SHAPES or is_paintable(first.noun)


def test_a_colour_apart_from_others(props: Props) -> None:
    for seed in range(30):
        paint = casting(props, seed).paint_apart_from([(214, 40, 40), (250, 250, 250)])
        assert min(distance(paint.rgb, other) for other in [(214, 40, 40), (250, 250, 250)]) >= STANDS_OUT


def test_gradients_and_patterns_have_two_different_colours(props: Props) -> None:
    for seed in range(30):
        for kind in (1, 2, 3):
            weights = [float(kind == position) for position in range(5)]
            paints = casting(props, seed).background([], weights).paints
            assert len({paint.name for paint in paints}) == 2
