from mezzotint.synthesis import hashing


def test_the_key_of_names_never_changes() -> None:
    """Splits and held-out combinations of published corpora hang on it."""
    assert hashing.key("split", "1f34e", "noto") == 0x294F825924792583
    assert hashing.key("a", "b") != hashing.key("ab")
    assert hashing.key("a", 1) == hashing.key("a", "1")


def test_units_are_even() -> None:
    draws = [hashing.unit("even", number) for number in range(4000)]
    assert 0 <= min(draws) < 0.01
    assert 0.99 < max(draws) < 1
    assert abs(sum(draws) / len(draws) - 0.5) < 0.02


def test_a_generator_depends_on_its_names_alone() -> None:
    assert hashing.generator("scene", 0, 5).random() == hashing.generator("scene", 0, 5).random()
    assert hashing.generator("scene", 0, 5).random() != hashing.generator("scene", 0, 6).random()
