from collections.abc import Callable

import numpy as np
import torch

from mezzotint.evaluation.answers import ask, by_turns, top
from mezzotint.evaluation.concept_list import Concept
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.painter import Task


def test_top_counts_the_first_and_the_first_five():
    figures = top(np.array([0, 4, 5, 30]))
    assert (figures["top-1"].value, figures["top-5"].value) == (0.25, 0.5)


def test_languages_take_turns():
    assert by_turns(3) == ["en", "zh", "en"]


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
        answers = ask(examination, few_concepts, [language] * len(few_concepts))
        assert answers.prompts == [concept.prompts[language] for concept in few_concepts]
        assert answers.written_in("zh").all() == (language == "zh")
    assert seeds == [3, 4, 5, 6, 7] * 2
