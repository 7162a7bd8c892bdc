import pytest

from mezzotint.curation.sources.rows import captions


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (" a red apple\n", "en"),
        ("une pomme dans le jardin", "fr"),
        ("一个红苹果", "zh"),
        ("red 苹果", "zh"),
        ("…", "und"),
    ],
)
def test_a_caption_has_the_language_that_it_seems_to_be_in(text: str, language: str) -> None:
    assert captions(text) == [{"kind": "alt", "language": language, "text": text.strip()}]


def test_no_text_is_no_caption() -> None:
    assert captions(None) == captions(" \n") == []
