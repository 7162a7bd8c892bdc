"""The suite "concepts": does a picture show what the prompt names, in English and in Chinese.

A picture is looked up among all sprites of the corpus by the examiner's features; concepts are ranked by their nearest
sprite, and the prompted one should come first, or among the first five. The rule is strict: 1,600 concepts compete, and
one that looks the same under another name counts as wrong, for the model as for the reference rows.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mezzotint.evaluation.answers import LANGUAGE_NAMES, Answers, ask, top, top_of_each
from mezzotint.evaluation.concept_list import Concept, concepts, spread
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.gallery import check_concepts
from mezzotint.evaluation.report import Row, Table, constant, difference
from mezzotint.runtime.seeds import Seeds
from mezzotint.synthesis.concepts import LANGUAGES, Language

SUITE = "concepts"


def tables(examination: Examination) -> list[Table]:
    asked = spread(concepts(), examination.limit)
    check_concepts(examination.gallery, [concept.code for concept in asked])
    answers = {language: ask(examination, asked, [language] * len(asked)) for language in LANGUAGES}
    for language, answer in answers.items():
        examination.show(f"{SUITE}, {LANGUAGE_NAMES[language]}", answer.prompts, answer.pictures, answer.ranks == 0)
    return [_languages(examination, asked, answers), _categories(asked, answers)]


def _languages(examination: Examination, asked: Sequence[Concept], answers: dict[Language, Answers]) -> Table:
    rows = [Row(name=LANGUAGE_NAMES[language], figures=top(answer.ranks)) for language, answer in answers.items()]
    english, chinese = (row.figures for row in rows)
    gap = {name: difference(chinese[name], figure) for name, figure in english.items()}
    rows.append(Row(name="Chinese − English", figures=gap, reference=True))
    rows += _references(examination, asked, answers["en"])
    note = (
        f"Share of {len(asked)} concepts whose picture is nearest, among the sprites of "
        f"{len(examination.gallery.names)} concepts, to one of the prompted concept (top-1), or to one of five. "
        "Reference rows: real sprites of one style looked up among the other styles (the ceiling); the English "
        "pictures judged by the next prompt on the list, pictures of noise, and chance (the floor)."
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
    chance = {f"top-{first}": constant(first / len(gallery.names), len(codes)) for first in (1, 5)}
    yield Row(name="chance", figures=chance, reference=True)


def _categories(asked: Sequence[Concept], answers: dict[Language, Answers]) -> Table:
    rows = []
    for category in dict.fromkeys(concept.category for concept in asked):
        members = [concept.category == category for concept in asked]
        ranks = [answer.ranks[members] for answer in answers.values()]
        rows.append(Row(name=category, figures=top_of_each(np.stack(ranks))))
    return Table(suite=SUITE, title="Concepts by category", note="Both languages together.", rows=tuple(rows))
