import re

from tests.fixtures import small_packages

from mezzotint.synthesis.captions import captions
from mezzotint.synthesis.concepts import EMOJIBASE, read_concepts
from mezzotint.synthesis.styles import STYLES

CONCEPTS = {concept.name["en"]: concept for concept in read_concepts(small_packages.fetch(EMOJIBASE))}


def said(concept: str, style: str) -> dict[tuple[str, str], str]:
    return {(c.kind, c.language): c.text for c in captions(CONCEPTS[concept], STYLES[style])}


def test_every_kind_in_both_languages() -> None:
    for concept in CONCEPTS:
        for style in STYLES:
            texts = said(concept, style)
            assert set(texts) == {(k, la) for k in ("tags", "short", "medium", "long") for la in ("en", "zh")}
            for (_, language), text in texts.items():
                assert (re.search(r"[一-鿿]", text) is not None) == (language == "zh")
                assert "  " not in text


def test_the_style_is_named_as_a_user_would() -> None:
    assert said("cat", "fluent-3d")["medium", "en"] in ("a 3D render of a cat", "a 3D icon of a cat")
    assert said("elephant", "fluent-flat")["medium", "en"].endswith(" of an elephant")
    assert said("rocket", "noto")["medium", "zh"] in (
        "火箭的卡通画",
        "一张火箭的卡通画",
        "火箭的阴影卡通插画",
        "一张火箭的阴影卡通插画",
    )


def test_a_drawing_without_colours_is_always_called_one() -> None:
    for concept in CONCEPTS:
        texts = said(concept, "fluent-line")
        for (_, language), text in texts.items():
            assert any(name.lower() in text.lower() for name in STYLES["fluent-line"].names[language]), text


def test_tags_name_the_thing_once() -> None:
    tags = said("cat", "twemoji")["tags", "en"].split(", ")
    assert tags[0] == "cat"
    assert len(tags) == len(set(tags))


def test_the_long_caption_ends_as_a_sentence() -> None:
    texts = said("butterfly", "noto")
    assert texts["long", "en"][0].isupper()
    assert texts["long", "en"].endswith(".")
    assert texts["long", "zh"].endswith("。")
