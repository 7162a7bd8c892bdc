import re
from dataclasses import replace

from mezzotint.data.records import Caption
from mezzotint.synthesis.colours import Paint
from mezzotint.synthesis.scenes.captions import captions
from mezzotint.synthesis.scenes.library import noun_of
from mezzotint.synthesis.scenes.renderer import Rendered
from mezzotint.synthesis.scenes.truth import (
    Background,
    Box,
    Kind,
    Object,
    Relation,
    RelationName,
    Scene,
    Size,
    Thing,
    Writing,
)

WHITE, RED, BLUE = (
    Paint(name=name, rgb=rgb)
    for name, rgb in (("white", (255, 255, 255)), ("red", (214, 40, 40)), ("blue", (35, 95, 215)))
)
LEFT, RIGHT = Box(left=0.05, top=0.3, width=0.3, height=0.3), Box(left=0.65, top=0.3, width=0.3, height=0.3)


def scene(
    kind: Kind,
    things: list[Thing],
    style: str | None = "noto",
    behind: Paint = BLUE,
    relation: RelationName | None = None,
    text: str | None = None,
    index: int = 0,
) -> Scene:
    below = Box(left=0.2, top=0.8, width=0.6, height=0.15)
    line = Writing(text=text, language="en", font="sans-bold", paint=WHITE, box=below) if text else None
    return Scene(
        seed=0,
        index=index,
        kind=kind,
        aspect=(1, 1),
        style=style,
        background=Background(kind="plain", paints=(behind,)),
        objects=tuple(Object(thing=thing, box=box) for thing, box in zip(things, [LEFT, RIGHT] * 3, strict=False)),
        writings=(line,) if line else (),
        relation=Relation(name=relation, subject=0, reference=1) if relation else None,
    )


def texts(one: Scene) -> dict[tuple[str, str], str]:
    return {(caption.kind, caption.language): caption.text for caption in captions(one)}


def all_texts(make: list[Scene], kind: str, language: str) -> set[str]:
    return {texts(one)[kind, language] for one in make}


def test_counts_in_both_languages() -> None:
    scenes = [scene("counting", [Thing(noun="1f401")] * 3, index=index) for index in range(40)]
    assert all_texts(scenes, "short", "en") == {"three mice", "3 mice"}
    assert all_texts(scenes, "short", "zh") == {"三只老鼠", "3只老鼠"}
    glasses = scene("counting", [Thing(noun="1f95b", paint=RED)] * 2)
    assert texts(glasses)["short", "en"] in ("two red glasses of milk", "2 red glasses of milk")
    assert texts(glasses)["short", "zh"] in ("两杯红色的牛奶", "2杯红色的牛奶")


def test_relations_in_both_languages() -> None:
    cat, dog = Thing(noun="1f408"), Thing(noun="1f415", paint=RED)
    scenes = [scene("position", [cat, dog], relation="left of", index=index) for index in range(30)]
    assert all_texts(scenes, "short", "en") == {"a cat to the left of a red dog", "a cat left of a red dog"}
    assert all_texts(scenes, "short", "zh") == {"一只猫在一只红色的狗的左边", "一只猫在一只红色的狗的左侧"}
    inside = [scene("position", [cat, Thing(noun="circle", paint=RED)], relation="inside", index=i) for i in range(30)]
    assert all_texts(inside, "short", "en") == {"a cat inside a red circle", "a cat in a red circle"}
    assert all_texts(inside, "short", "zh") == {"一只猫在一个红色的圆形里面", "一只猫在一个红色的圆形里"}


def test_text_is_quoted_exactly() -> None:
    one = texts(scene("text", [Thing(noun="1f408")], text="HELLO"))
    for language in ("en", "zh"):
        assert all("HELLO" in one[kind, language] for kind in ("tags", "short", "medium", "long"))
    assert 'The word "HELLO" in white' in one["long", "en"]
    assert "白色的" in one["long", "zh"]
    assert texts(scene("text", [], None, text="42"))["short", "en"] == 'the number "42"'
    assert texts(scene("text", [], None, text="42"))["short", "zh"] == "数字“42”"


def test_sizes_join_only_simple_chinese_nouns() -> None:
    sizes: tuple[Size, Size] = ("large", "small")
    cat, gorilla = (Thing(noun=noun, size=size) for noun, size in zip(("1f408", "1f98d"), sizes, strict=True))
    one = texts(scene("free", [cat, gorilla]))
    assert one["short", "zh"] == "一只大猫和一只小的大猩猩"
    assert re.fullmatch(r"a (large|big) cat and a (small|little) gorilla", one["short", "en"])


def test_a_style_is_named_only_where_it_fits_all() -> None:
    cat, ball = Thing(noun="1f408"), Thing(noun="ball", paint=RED)
    assert "cartoon" in texts(scene("pair", [cat]))["long", "en"].lower()
    assert "cartoon" not in texts(scene("pair", [cat, ball]))["long", "en"].lower()


def test_a_lone_drawing_on_a_coloured_ground_is_never_told_without_it() -> None:
    """As short as "a cat" is what sprites on white are called."""
    cat = Thing(noun="1f408")
    for index in range(20):
        on_blue, on_white = (texts(scene("backdrop", [cat], behind=paint, index=index)) for paint in (BLUE, WHITE))
        for kind in ("short", "medium"):
            assert "blue" in on_blue[kind, "en"]
            assert "蓝色" in on_blue[kind, "zh"]
        assert on_white["short", "en"] == "a cat"
        assert texts(scene("colour", [replace(cat, paint=RED)], index=index))["short", "en"] == "a red cat"


def test_black_and_white_only_where_nothing_has_a_colour() -> None:
    cat = Thing(noun="1f408")
    plain = [scene("backdrop", [cat], "fluent-line", WHITE, index=index) for index in range(20)]
    assert any("black" in text.lower() for text in all_texts(plain, "long", "en"))
    coloured = [
        *(scene("backdrop", [cat], "fluent-line", BLUE, index=index) for index in range(20)),
        *(scene("colour", [Thing(noun="1f408", paint=RED)], "fluent-line", WHITE, index=i) for i in range(20)),
    ]
    assert not any("black" in text.lower() for text in all_texts(coloured, "long", "en"))
    assert not any("黑" in text for text in all_texts(coloured, "long", "zh"))


def test_sampled_captions_are_whole_and_well_formed(rendered: list[Rendered]) -> None:
    for _, one in rendered:
        said = list(captions(one))
        assert len(said) == 8
        for caption in said:
            assert_well_formed(caption)
            if caption.kind != "tags":
                assert_everything_is_named(caption, one)


def assert_well_formed(caption: Caption) -> None:
    text = caption.text
    assert text.strip() == text
    assert "  " not in text
    if caption.language == "en":
        assert not re.search(r"\b[Aa] [aeio]", text.replace("a one", "")), text
        assert not re.search(r"\b[Aa]n [^aeiouhX8]", text), text
        assert not re.search(r"\b(two|three|four|five|six) \w+ (mouse|house|cat|dog)\b", text), text
    else:
        assert re.search(r"[一-鿿]", text), text
        assert "的的" not in text
        assert "一张一" not in text


def assert_everything_is_named(caption: Caption, one: Scene) -> None:
    for thing, count in one.counts().items():
        noun = noun_of(thing.noun)
        name = noun.chinese if caption.language == "zh" else noun.singular if count == 1 else noun.plural
        assert name in caption.text, (caption, thing)
    for line in one.writings:
        assert line.text in caption.text
