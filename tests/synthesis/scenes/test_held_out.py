from mezzotint.synthesis.colours import Paint
from mezzotint.synthesis.language.nouns import nouns
from mezzotint.synthesis.scenes.held_out import facts, is_held_out, split_of
from mezzotint.synthesis.scenes.renderer import Rendered
from mezzotint.synthesis.scenes.truth import (
    Background,
    Box,
    Object,
    Relation,
    RelationName,
    Scene,
    Thing,
    Writing,
)

BOX = Box(left=0.0, top=0.0, width=0.5, height=0.5)
WHITE, RED = Paint(name="white", rgb=(255, 255, 255)), Paint(name="red", rgb=(200, 0, 0))


def scene(things: list[Thing], relation: RelationName | None = None, text: str | None = None) -> Scene:
    writing = Writing(text=text, language="en", font="sans", paint=RED, box=BOX) if text else None
    return Scene(
        seed=0,
        index=0,
        kind="free",
        aspect=(1, 1),
        style="noto",
        background=Background(kind="plain", paints=(WHITE,)),
        objects=tuple(Object(thing=thing, box=BOX) for thing in things),
        writings=(writing,) if writing else (),
        relation=Relation(name=relation, subject=0, reference=1) if relation else None,
    )


def test_a_tenth_of_the_combinations_is_held_out() -> None:
    held = [is_held_out(("count", str(count), code)) for code in nouns() for count in range(2, 7)]
    assert 0.07 < sum(held) / len(held) < 0.13


def test_all_facts_of_a_scene_are_named() -> None:
    cat, ball = Thing(noun="1f408"), Thing(noun="ball", paint=RED)
    assert set(facts(scene([cat, cat, ball], text="Hello"))) == {
        ("count", "2", "1f408"),
        ("colour", "red", "ball"),
        ("background", "white", "1f408"),
        ("background", "white", "ball"),
        ("pair", "1f408", "ball"),
        ("text", "HELLO"),
    }


def test_a_relation_and_its_converse_are_one_fact() -> None:
    cat, dog = Thing(noun="1f408"), Thing(noun="1f415")
    for name, converse in (("left of", "right of"), ("above", "below")):
        one = [fact for fact in facts(scene([cat, dog], name)) if fact[0] == "relation"]  # type: ignore[arg-type]
        other = [fact for fact in facts(scene([dog, cat], converse)) if fact[0] == "relation"]  # type: ignore[arg-type]
        assert one == other == [("relation", name, "1f408", "1f415")]


def test_training_never_sees_a_held_out_fact(rendered: list[Rendered]) -> None:
    splits = [split_of(scene) for _, scene in rendered]
    for (_, one), split in zip(rendered, splits, strict=True):
        assert (split == "test") == any(is_held_out(fact) for fact in facts(one))
    assert splits.count("train") > 0.85 * len(splits)
    assert splits.count("test") >= 3
