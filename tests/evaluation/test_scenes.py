from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tests.evaluation.conftest import KINDS
from tests.fixtures import small_packages

from mezzotint.evaluation import scenes
from mezzotint.evaluation.examination import Examination
from mezzotint.perception.scene_judge import Maps
from mezzotint.synthesis.colours import OBJECT_COLOURS, Paint
from mezzotint.synthesis.scenes.backgrounds import Photographs
from mezzotint.synthesis.scenes.captions import captions
from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.held_out import facts, is_held_out, split_of
from mezzotint.synthesis.scenes.library import SpriteLibrary
from mezzotint.synthesis.scenes.text import Fonts
from mezzotint.synthesis.scenes.truth import Scene, pixel_size
from mezzotint.synthesis.scenes.truth_maps import CHARACTERS, COLOURS, IGNORED, NOUNS, TruthMaps, truth_maps

GRID, SURE = 16, 12.0
FONTS = Fonts(small_packages.fetch, small_packages.FONTS)


@pytest.fixture(scope="module")
def props() -> Props:
    return Props(
        sprites=SpriteLibrary(small_packages.CORPUS), photographs=Photographs(small_packages.fetch), fonts=FONTS
    )


def perfect_judge(truth: TruthMaps) -> Maps:
    """The logits of one who sees exactly what is there."""

    def sure(classes: torch.Tensor, count: int) -> torch.Tensor:
        known = classes.masked_fill(classes == IGNORED, 0)
        return SURE * torch.nn.functional.one_hot(known, count).movedim(-1, 0).float()

    return Maps(
        centres=torch.logit(truth.centres.clamp(0.001, 0.99)),
        nouns=sure(truth.nouns, len(NOUNS)),
        colours=sure(truth.colours, len(COLOURS)),
        characters=sure(truth.characters, len(CHARACTERS) + 1),
    )


@pytest.mark.parametrize("name", scenes.SKILLS)
def test_who_sees_what_is_there_answers_right(props: Props, name: str):
    skill = scenes.SKILLS[name]
    for one in scenes.held_out(props, skill, 3):
        assert skill.answers(perfect_judge(truth_maps(one.scene, GRID, FONTS)), one.scene)


def test_other_truths_are_wrong_answers(props: Props):
    (counting,) = scenes.held_out(props, scenes.SKILLS["counting"], 1)
    maps = perfect_judge(truth_maps(counting.scene, GRID, FONTS))
    more = replace(counting.scene, objects=(*counting.scene.objects, counting.scene.objects[0]))
    assert not scenes.count_is_right(maps, more)
    scene = scenes.held_out(props, scenes.SKILLS["position"], 1)[0].scene
    assert scene.relation is not None
    turned = replace(scene.relation, subject=scene.relation.reference, reference=scene.relation.subject)
    maps = perfect_judge(truth_maps(scene, GRID, FONTS))
    assert not scenes.relation_is_right(maps, replace(scene, relation=turned))


def seen_as(scene: Scene, skill: str, **changes: object) -> bool:
    """Whether one who sees the scene with its first object changed answers right."""
    first, *others = scene.objects
    other = replace(scene, objects=(replace(first, thing=replace(first.thing, **changes)), *others))
    return scenes.SKILLS[skill].answers(perfect_judge(truth_maps(other, GRID, FONTS)), scene)


def test_another_colour_another_thing_and_another_string_are_wrong_answers(props: Props):
    painted = scenes.held_out(props, scenes.SKILLS["colour"], 1)[0].scene
    assert painted.objects[0].thing.paint is not None
    other = OBJECT_COLOURS["red" if painted.objects[0].thing.paint.name != "red" else "green"]
    assert not seen_as(painted, "colour", paint=Paint(name=other.english, rgb=other.rgb))

    pair = scenes.held_out(props, scenes.SKILLS["two objects"], 1)[0].scene
    shown = {item.thing.noun for item in pair.objects}
    assert not seen_as(pair, "two objects", noun=next(noun for noun in NOUNS if noun not in shown))

    lettered = scenes.held_out(props, scenes.SKILLS["text"], 1)[0].scene
    (line,) = lettered.writings
    other = replace(line, text=scenes.other_strings(line.text, line.language)[0])
    maps = perfect_judge(truth_maps(replace(lettered, writings=(other,)), GRID, FONTS))
    assert not scenes.text_fits_best(maps, lettered)


def test_other_strings_are_near_in_length_and_never_the_same():
    others = scenes.other_strings("Hello", "en")
    assert len(set(others)) == scenes.STRINGS - 1
    assert "HELLO" not in others
    assert {len(other) for other in others} == {5}
    assert all(other.isdigit() and len(other) == 3 for other in scenes.other_strings("385", "en"))


@pytest.mark.parametrize("name", scenes.SKILLS)
def test_what_is_asked_was_held_out_and_is_what_the_skill_is_about(props: Props, name: str):
    skill = scenes.SKILLS[name]
    asked = scenes.held_out(props, skill, 4)
    assert [one.language for one in asked] == ["en", "zh", "en", "zh"]
    for one in asked:
        assert one.scene.kind == skill.kind
        assert split_of(one.scene) == "test"
        assert any(fact[0] == skill.fact and is_held_out(fact) for fact in facts(one.scene))
        assert one.prompt in [c.text for c in captions(one.scene) if c.language == one.language]
        assert one.real.shape == (1, 3, *reversed(pixel_size(one.scene.aspect, scenes.SIDE // 2, 8)))
    assert [one.prompt for one in scenes.held_out(props, skill, 2)] == [one.prompt for one in asked[:2]]


def test_the_table_has_a_column_for_each_skill(examine: Callable[[], Examination]):
    examination = replace(examine(), limit=2)
    (table,) = scenes.tables(examination)
    assert table.columns == ["counting", "colour", "position", "two objects", "text"]
    assert len(table.columns) == len(KINDS)
    assert [(row.name, row.reference) for row in table.rows] == [
        ("generated", False),
        ("generated, English prompts", False),
        ("generated, Chinese prompts", False),
        ("judge on real scenes", True),
        ("judge on real scenes, rebuilt", True),
        ("chance", True),
    ]
    assert table.rows[5].figures["position"].value == 0.25
    assert len(examination.shown) == 10
