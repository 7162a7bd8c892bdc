import re

from tests.fixtures import small_packages

from mezzotint.synthesis.captions import captions
from mezzotint.synthesis.colours import OBJECT_COLOURS
from mezzotint.synthesis.concepts import EMOJIBASE, read_concepts
from mezzotint.synthesis.styles import STYLES

CONCEPTS = {concept.name["en"]: concept for concept in read_concepts(small_packages.fetch(EMOJIBASE))}


def said(concept: str, style: str, colour: str | None = None) -> dict[tuple[str, str], str]:
    told = captions(CONCEPTS[concept], STYLES[style], OBJECT_COLOURS[colour] if colour else None)
    return {(c.kind, c.language): c.text for c in told}


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


def test_a_third_of_the_short_and_medium_captions_say_the_main_colour() -> None:
    coloured = [name for name in STYLES if STYLES[name].coloured]
    texts = [said(concept, style, "purple") for concept in CONCEPTS for style in coloured]
    for kind in ("short", "medium"):
        for language, word in (("en", "purple"), ("zh", "紫色的")):
            share = sum(word in text[kind, language] for text in texts) / len(texts)
            assert 0.2 < share < 0.47, (kind, language, share)
    english = {text["short", "en"] for text in texts}
    assert {"a purple cat", "a purple elephant"} & english
    assert {"一只紫色的猫", "一头紫色的大象", "一只紫色的小猫"} & {text["short", "zh"] for text in texts}


def test_a_name_that_says_its_colour_gets_no_other() -> None:
    for style in STYLES:
        for text in said("red apple", style, "purple").values():
            assert "purple" not in text
            assert "紫" not in text
