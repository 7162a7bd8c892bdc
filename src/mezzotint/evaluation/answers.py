"""What a model paints for some concepts, and where the examiner ranks the prompted one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mezzotint.data.buckets import Bucket
from mezzotint.evaluation.concept_list import Concept, concepts
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.painter import Task
from mezzotint.evaluation.report import Figure, share, share_of_each
from mezzotint.synthesis.concepts import LANGUAGES, Language

LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """Pictures, the examiner's features of them, and how many concepts lie nearer to each than the prompted one."""

    prompts: Sequence[str]
    languages: Sequence[Language]
    pictures: Float[Tensor, "b 3 h w"]
    features: Float[np.ndarray, "b d"]
    ranks: Int[np.ndarray, "b"]

    def written_in(self, language: Language) -> Bool[np.ndarray, "b"]:
        """Which of the prompts are."""
        return np.array(self.languages) == language


def ask(
    examination: Examination,
    asked: Sequence[Concept],
    languages: Sequence[Language],
    prompts: Sequence[str] | None = None,
    size: Bucket | None = None,
) -> Answers:
    """One picture a concept, of its plain prompt unless others are given. Its noise is the same in all languages."""
    if prompts is None:
        prompts = [concept.prompts[language] for concept, language in zip(asked, languages, strict=True)]
    noise = seeds_of(examination.seed)
    tasks = [Task(prompt, noise[concept.code], size) for prompt, concept in zip(prompts, asked, strict=True)]
    pictures = examination.painter.paint(tasks)
    features = examination.examiner.features(pictures)
    ranks = examination.gallery.ranks(features, [concept.code for concept in asked])
    return Answers(prompts=prompts, languages=languages, pictures=pictures, features=features, ranks=ranks)


def seeds_of(seed: int) -> dict[str, int]:
    """Each concept's own, whatever is asked of it."""
    return {concept.code: seed + position for position, concept in enumerate(concepts())}


def by_turns(count: int) -> list[Language]:
    """English and Chinese, one after the other."""
    return [LANGUAGES[position % len(LANGUAGES)] for position in range(count)]


def top(ranks: Int[np.ndarray, "b"]) -> dict[str, Figure]:
    return {"top-1": share(ranks == 0), "top-5": share(ranks < 5)}


def top_of_each(ranks: Int[np.ndarray, "times b"]) -> dict[str, Figure]:
    """Of concepts that were asked for several times."""
    return {"top-1": share_of_each(ranks == 0), "top-5": share_of_each(ranks < 5)}
