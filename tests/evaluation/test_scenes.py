from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.evaluation.conftest import KINDS

from mezzotint.data.records import read_records
from mezzotint.errors import InputError
from mezzotint.evaluation import scenes
from mezzotint.evaluation.examination import Examination
from mezzotint.perception.scene_judge import Maps
from mezzotint.synthesis.scenes.held_out import split_of
from mezzotint.synthesis.scenes.truth import Scene
from mezzotint.synthesis.scenes.truth_maps import CHARACTERS, COLOURS, IGNORED, NOUNS, TruthMaps, truth_maps

GRID, SURE = 16, 12.0


def held_out(corpus: Path, kind: str) -> Scene:
    (first, *_) = (record for record in read_records(corpus, parts=["scenes"], splits=["test"]) if record.group == kind)
    return Scene.from_json(first.truth or "")


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
def test_who_sees_what_is_there_answers_right(corpus: Path, name: str):
    skill = scenes.SKILLS[name]
    scene = held_out(corpus, skill.kind)
    assert skill.answers(perfect_judge(truth_maps(scene, GRID)), scene)


def test_other_truths_are_wrong_answers(corpus: Path):
    counting, position = held_out(corpus, "counting"), held_out(corpus, "position")
    maps = perfect_judge(truth_maps(counting, GRID))
    assert not scenes.count_is_right(maps, replace(counting, objects=(*counting.objects, counting.objects[0])))
    assert position.relation is not None
    turned = replace(position.relation, subject=position.relation.reference, reference=position.relation.subject)
    maps = perfect_judge(truth_maps(position, GRID))
    assert not scenes.relation_is_right(maps, replace(position, relation=turned))


def test_other_strings_are_near_in_length_and_never_the_same():
    others = scenes.other_strings("Hello", "en")
    assert len(set(others)) == scenes.STRINGS - 1
    assert "HELLO" not in others
    assert {len(other) for other in others} == {5}
    assert all(other.isdigit() and len(other) == 3 for other in scenes.other_strings("385", "en"))


def test_what_is_asked_was_held_out(corpus: Path):
    for skill in scenes.SKILLS.values():
        asked = scenes.held_out(corpus, skill, 2)
        assert [one.language for one in asked] == ["en", "zh"]
        for one in asked:
            assert split_of(one.scene) == "test"
            assert one.prompt in [c.text for c in one.record.captions if c.language == one.language]


def test_a_corpus_without_held_out_scenes_is_refused(tmp_path: Path, corpus: Path):
    (tmp_path / "sprites").symlink_to(corpus / "sprites")
    with pytest.raises(InputError, match="has 0 held-out scenes of 'text'"):
        scenes.held_out(tmp_path, scenes.SKILLS["text"], 2)


def test_the_table_has_a_column_for_each_skill(examine: Callable[[], Examination]):
    examination = examine()
    (table,) = scenes.tables(examination)
    assert table.columns == ["counting", "colour", "position", "two objects", "text"]
    assert len(table.columns) == len(KINDS)
    assert [(row.name, row.reference) for row in table.rows] == [
        ("generated", False),
        ("generated, English prompts", False),
        ("generated, Chinese prompts", False),
        ("judge on real scenes", True),
        ("chance", True),
    ]
    assert table.rows[4].figures["position"].value == 0.25
    assert len(examination.shown) == 10
