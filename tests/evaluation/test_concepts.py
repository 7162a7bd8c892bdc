from collections.abc import Callable

from mezzotint.data.records import read_records
from mezzotint.evaluation import concepts
from mezzotint.evaluation.concept_list import Concept
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.gallery import sprite_pictures
from mezzotint.evaluation.painter import Task


def test_every_question_has_its_rows_and_references(
    few_concepts: tuple[Concept, ...], examine: Callable[[], Examination]
):
    examination = examine()
    languages, categories = concepts.tables(examination)
    assert [row.name for row in languages.rows if not row.reference] == ["English", "Chinese"]
    assert [row.name for row in languages.rows if row.reference] == [
        "Chinese − English",
        "real, fluent-3d",
        "real, noto",
        "real, twemoji",
        "next prompt",
        "noise",
        "chance",
    ]
    assert all(figure.count == 5 for figure in languages.rows[0].figures.values())
    chance = languages.rows[-1].figures
    assert chance["top-1"].value == 1 / len(examination.gallery.names)
    assert chance["top-5"].value == 5 / len(examination.gallery.names)
    assert [row.name for row in categories.rows] == ["animals", "food", "vehicles"]
    assert {one.part for one in examination.shown} == {"concepts, English", "concepts, Chinese"}


def test_a_model_that_paints_the_sprites_themselves_is_always_right(
    few_concepts: tuple[Concept, ...], examine: Callable[[], Examination]
):
    examination = examine()
    corpus, painter = examination.resources.corpus, examination.painter
    sprites = {record.concept: record for record in read_records(corpus, parts=["sprites"])}
    for position, concept in enumerate(few_concepts):
        (picture,) = sprite_pictures([sprites[concept.code]], corpus)
        for prompt in concept.prompts.values():
            painter._painted[Task(prompt, examination.seed + position)] = picture
    languages = concepts.tables(examination)[0]
    assert [languages.rows[row].figures["top-1"].value for row in (0, 1)] == [1.0, 1.0]
    assert languages.rows[2].figures["top-1"].value == 0.0
