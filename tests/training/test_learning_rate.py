import pytest

from mezzotint.training.learning_rate import constant, cosine, linear_to_zero, trapezoid


def test_constant_rises_linearly_then_stays():
    assert [constant(step, warmup=4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert constant(0, warmup=0) == 1.0


def test_cosine_is_one_after_warmup_half_way_in_the_middle_and_floor_at_the_end():
    def at(step: int) -> float:
        return cosine(step, warmup=10, total=110, floor=0.1)

    assert at(10) == pytest.approx(1.0)
    assert at(60) == pytest.approx(0.55)  # cos(π/2) = 0: half-way between 1 and the floor
    assert at(35) == pytest.approx(0.1 + 0.9 * (1 + 0.5**0.5) / 2)  # cos(π/4)
    assert at(110) == at(500) == pytest.approx(0.1)


def test_linear_to_zero():
    assert linear_to_zero(0, warmup=2, total=12) == pytest.approx(0.5)
    assert linear_to_zero(7, warmup=2, total=12) == pytest.approx(0.5)
    assert linear_to_zero(12, warmup=2, total=12) == 0.0


def test_trapezoid_is_flat_until_the_cooldown():
    values = [trapezoid(step, warmup=2, total=20, cooldown=10) for step in (0, 1, 10, 15, 20)]
    assert values == pytest.approx([0.5, 1.0, 1.0, 0.5, 0.0])
