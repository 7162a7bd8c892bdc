"""The suite "concepts": does a picture show what the prompt names, in a language, a style, a size.

A picture is looked up among all sprites of the corpus by the examiner's features; concepts are ranked by their nearest
sprite, and the prompted one should come first, or among the first five. The rule is strict: 1,600 concepts compete, and
one that looks the same under another name counts as wrong, for the model as for the reference rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from mezzotint.data.buckets import Bucket
from mezzotint.evaluation.concept_list import Concept, concepts, spread
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.gallery import check_concepts
from mezzotint.evaluation.painter import Task
from mezzotint.evaluation.report import Figure, Row, Table, difference, share
from mezzotint.evaluation.style_classifier import StyleClassifier, fit_styles
from mezzotint.runtime.seeds import Seeds
from mezzotint.synthesis.concepts import LANGUAGES, Language
from mezzotint.synthesis.styles import STYLES

SUITE = "concepts"
STYLED, SIZED = 25, 50  # concepts asked for in each style, in each size
SIZES = (Bucket(160, 96), Bucket(96, 160))
_LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What a model painted for some concepts, and how the examiner ranks it."""

    asked: Sequence[Concept]
    pictures: Float[Tensor, "b 3 h w"]
    features: Float[np.ndarray, "b d"]
    ranks: Int[np.ndarray, "b"]


def tables(examination: Examination) -> list[Table]:
    asked = spread(concepts(), examination.limit)
    check_concepts(examination.gallery, [concept.code for concept in asked])
    answers = {language: _ask(examination, asked, [language] * len(asked)) for language in LANGUAGES}
    for language, answer in answers.items():
        examination.show(SUITE, [c.prompts[language] for c in asked], answer.pictures, answer.ranks == 0)
    return [
        _languages(examination, asked, answers),
        _categories(answers),
        _styles(examination, spread(asked, STYLED)),
        _sizes(examination, spread(asked, SIZED)),
    ]


def _ask(
    examination: Examination, asked: Sequence[Concept], languages: Sequence[Language], size: Bucket | None = None
) -> Answers:
    """Pictures of the plain prompts. A concept's noise is the same in all languages."""
    prompts = [concept.prompts[language] for concept, language in zip(asked, languages, strict=True)]
    return _answers(examination, asked, prompts, size)


def _answers(
    examination: Examination, asked: Sequence[Concept], prompts: Sequence[str], size: Bucket | None = None
) -> Answers:
    first = {concept.code: examination.seed + position for position, concept in enumerate(concepts())}
    tasks = [Task(prompt, first[concept.code], size) for prompt, concept in zip(prompts, asked, strict=True)]
    pictures = examination.painter.paint(tasks)
    features = examination.examiner.features(pictures)
    ranks = examination.gallery.ranks(features, [concept.code for concept in asked])
    return Answers(asked=asked, pictures=pictures, features=features, ranks=ranks)


def top(ranks: Int[np.ndarray, "b"]) -> dict[str, Figure]:
    return {"top-1": share(ranks == 0), "top-5": share(ranks < 5)}


def _languages(examination: Examination, asked: Sequence[Concept], answers: dict[Language, Answers]) -> Table:
    rows = [Row(name=_LANGUAGE_NAMES[language], figures=top(answer.ranks)) for language, answer in answers.items()]
    english, chinese = (row.figures for row in rows)
    gap = {name: difference(chinese[name], figure) for name, figure in english.items()}
    rows.append(Row(name="Chinese − English", figures=gap, reference=True))
    rows += _references(examination, asked, answers["en"])
    note = (
        f"Share of {len(asked)} concepts whose picture is nearest, among the sprites of "
        f"{len(examination.gallery.names)} concepts, to one of the prompted concept (top-1), or to one of five. "
        "Reference rows: real sprites of one style looked up among the other styles (the ceiling); the English "
        "pictures judged by the next prompt on the list, and pictures of noise (the floor)."
    )
    return Table(suite=SUITE, title="Concepts by language", note=note, rows=tuple(rows))


def _references(examination: Examination, asked: Sequence[Concept], english: Answers) -> Iterator[Row]:
    gallery, codes = examination.gallery, [concept.code for concept in asked]
    styles = np.asarray(gallery.styles)
    for style in sorted(set(gallery.styles)):
        rows = gallery.where(codes, style)
        ranks = gallery.ranks(gallery.features[rows], [gallery.concepts[row] for row in rows], styles != style)
        yield Row(name=f"real, {style}", figures=top(ranks), reference=True)
    next_codes = [*codes[1:], codes[0]]
    yield Row(name="next prompt", figures=top(gallery.ranks(english.features, next_codes)), reference=True)
    noise = Seeds(examination.seed).normal((len(codes), *english.pictures.shape[1:]), "noise pictures")
    ranks = gallery.ranks(examination.examiner.features((noise / 2).clamp(-1, 1)), codes)
    yield Row(name="noise", figures=top(ranks), reference=True)


def _categories(answers: dict[Language, Answers]) -> Table:
    rows = []
    for category in dict.fromkeys(concept.category for concept in answers["en"].asked):
        ranks = [a.ranks[[c.category == category for c in a.asked]] for a in answers.values()]
        rows.append(Row(name=category, figures=top(np.concatenate(ranks))))
    return Table(suite=SUITE, title="Concepts by category", note="Both languages together.", rows=tuple(rows))


def _styles(examination: Examination, asked: Sequence[Concept]) -> Table:
    """Every style asked for by name, in the two languages by turns."""
    classifier = fit_styles(examination.gallery, [concept.code for concept in concepts()])
    languages = [LANGUAGES[position % 2] for position in range(len(asked))]
    rows, references = [], []
    for style in sorted(set(examination.gallery.styles)):
        prompts = [c.styled(STYLES[style], language) for c, language in zip(asked, languages, strict=True)]
        answer = _answers(examination, asked, prompts)
        agrees = classifier.classify(answer.features) == style
        rows.append(Row(name=style, figures={**top(answer.ranks), "style": share(agrees)}))
        references.append(_real_style(examination, classifier, style))
        examination.show("styles", prompts, answer.pictures, agrees)
    together = {name: _pooled([row.figures[name] for row in rows]) for name in rows[0].figures}
    note = (
        f"{len(asked)} concepts in each style, half of the prompts Chinese. `style` is the share that a linear "
        "discriminant over the examiner's features, fitted on the concepts that are not asked for, gives to the named "
        f"style; chance is {1 / len(rows):.1%}. Reference rows: the same discriminant on real sprites of the 200."
    )
    everything = (Row(name="all styles", figures=together), *rows, *references)
    return Table(suite=SUITE, title="Styles named in the prompt", note=note, rows=everything)


def _real_style(examination: Examination, classifier: StyleClassifier, style: str) -> Row:
    gallery = examination.gallery
    rows = gallery.where([concept.code for concept in concepts()], style)
    right = classifier.classify(gallery.features[rows]) == style
    return Row(name=f"real, {style}", figures={"style": share(right)}, reference=True)


def _pooled(figures: Sequence[Figure]) -> Figure:
    scores = [figure.scores for figure in figures if figure.scores is not None]
    return share(np.concatenate(scores).astype(bool))


def _sizes(examination: Examination, asked: Sequence[Concept]) -> Table:
    languages = [LANGUAGES[position % 2] for position in range(len(asked))]
    rows = []
    for size in (None, *SIZES):
        answer = _ask(examination, asked, languages, size)
        height, width = answer.pictures.shape[-2:]
        rows.append(Row(name=f"{width}×{height}", figures=top(answer.ranks)))
        if size is not None:
            prompts = [c.prompts[language] for c, language in zip(asked, languages, strict=True)]
            examination.show(f"{width}x{height}", prompts, answer.pictures, answer.ranks == 0)
    note = f"The same {len(asked)} prompts, half of them Chinese, in each size; the examiner sees white margins."
    return Table(suite=SUITE, title="Picture sizes", note=note, rows=tuple(rows))
