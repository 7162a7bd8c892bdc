from collections.abc import Callable

import numpy as np
import torch

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
    languages, categories, styles, sizes = concepts.tables(examination)
    assert [row.name for row in languages.rows if not row.reference] == ["English", "Chinese"]
    assert [row.name for row in languages.rows if row.reference] == [
        "Chinese − English",
        "real, fluent-3d",
        "real, noto",
        "real, twemoji",
        "next prompt",
        "noise",
    ]
    assert all(figure.count == 5 for figure in languages.rows[0].figures.values())
    assert [row.name for row in categories.rows] == ["animals", "food", "vehicles"]
    assert [row.name for row in styles.rows if not row.reference] == ["all styles", "fluent-3d", "noto", "twemoji"]
    assert styles.rows[0].figures["style"].count == 15
    assert [row.name for row in sizes.rows] == ["32×48", "160×96", "96×160"]
    assert {one.part for one in examination.shown} == {"concepts", "styles", "160x96", "96x160"}


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


def test_top_counts_the_first_and_the_first_five():
    figures = concepts.top(np.array([0, 4, 5, 30]))
    assert (figures["top-1"].value, figures["top-5"].value) == (0.25, 0.5)


def test_both_languages_start_from_the_same_noise(
    few_concepts: tuple[Concept, ...], examine: Callable[[], Examination]
):
    examination = examine()
    seeds: list[int] = []
    paint = examination.painter.paint

    def watched(tasks: list[Task]) -> torch.Tensor:
        seeds.extend(task.seed for task in tasks)
        return paint(tasks)

    examination.painter.paint = watched  # type: ignore[method-assign, assignment]
    for language in ("en", "zh"):
        concepts._ask(examination, few_concepts, [language] * len(few_concepts))
    assert seeds == [3, 4, 5, 6, 7] * 2
