import pytest

from mezzotint.synthesis.language.english import article, counted, indefinite, listed, sentence


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("owl", "an owl"),
        ("unicorn", "a unicorn"),
        ("ewe", "a ewe"),
        ("euro banknote", "a euro banknote"),
        ("hourglass", "an hourglass"),
        ("ATM sign", "an ATM sign"),
        ("NEW button", "a NEW button"),
        ("SOS button", "an SOS button"),
        ("X-ray", "an X-ray"),
        ("T-shirt", "a T-shirt"),
        ("UP! button", "an UP! button"),
        ("Japanese “here” button", "a Japanese “here” button"),
        ("8 ball", "an 8 ball"),
        ("one-piece swimsuit", "a one-piece swimsuit"),
        ("glass of milk", "a glass of milk"),
        ("cactus", "a cactus"),
        ("scissors", "scissors"),
        ("clinking beer mugs", "clinking beer mugs"),
        ("men wrestling", "men wrestling"),
        ("man lifting weights", "a man lifting weights"),
        ("bread", "bread"),
        ("Mount Fuji", "Mount Fuji"),
        ("Statue of Liberty", "the Statue of Liberty"),
        ("woman’s clothes", "woman’s clothes"),
        ("rescue worker’s helmet", "a rescue worker’s helmet"),
    ],
)
def test_indefinite(name: str, said: str) -> None:
    assert indefinite(name) == said


def test_counted_and_listed() -> None:
    assert counted(1, "mouse", "mice") == "one mouse"
    assert counted(3, "mouse", "mice") == "three mice"
    assert listed(["a cat"]) == "a cat"
    assert listed(["a cat", "a dog"]) == "a cat and a dog"
    assert listed(["a cat", "a dog", "two mice"]) == "a cat, a dog and two mice"


def test_sentence() -> None:
    assert sentence("a cat") == "A cat."
    assert article("“here” button") == "a"
