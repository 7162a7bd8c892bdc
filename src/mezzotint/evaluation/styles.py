"""The suite "styles": is a picture drawn in the style that the prompt names, and does it still show the thing."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool

from mezzotint.evaluation.answers import LANGUAGE_NAMES, Answers, ask, by_turns, top, top_of_each
from mezzotint.evaluation.concept_list import concepts, spread
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.gallery import check_concepts, sprite_pictures, sprites_of
from mezzotint.evaluation.reconstruction import rebuilt
from mezzotint.evaluation.report import Figure, Row, Table, constant, difference, share, share_of_each
from mezzotint.evaluation.style_classifier import StyleClassifier, fit_styles
from mezzotint.synthesis.concepts import LANGUAGES
from mezzotint.synthesis.styles import STYLES

SUITE = "styles"
ASKED = 50  # concepts in each style


def tables(examination: Examination) -> list[Table]:
    """Every style asked for by name, in the two languages by turns."""
    asked = spread(spread(concepts(), examination.limit), ASKED)
    check_concepts(examination.gallery, [concept.code for concept in asked])
    classifier = fit_styles(examination.gallery, [concept.code for concept in concepts()])
    languages, names = by_turns(len(asked)), sorted(set(examination.gallery.styles))
    plain = classifier.classify(ask(examination, asked, languages).features)
    pairs = list(zip(asked, languages, strict=True))
    prompts = {style: [concept.styled(STYLES[style], language) for concept, language in pairs] for style in names}
    answers = [ask(examination, asked, languages, prompts[style]) for style in names]
    agreements = [classifier.classify(answer.features) == style for style, answer in zip(names, answers, strict=True)]
    rows = list(_together(answers, agreements))
    for style, answer, agrees in zip(names, answers, agreements, strict=True):
        examination.show(SUITE, answer.prompts, answer.pictures, agrees)
        named, unasked = share(agrees), share(plain == style)
        figures = {"style": named, "unasked": unasked, "style − unasked": difference(named, unasked)}
        rows.append(Row(name=style, figures={**top(answer.ranks), **figures}))
    rows += (
        *(_real(examination, classifier, style) for style in names),
        *(_rebuilt(examination, classifier, style) for style in names),
        Row(name="chance", figures={"style": constant(1 / len(names), len(asked) * len(names))}, reference=True),
    )
    note = (
        f"{len(asked)} concepts in each style, half of the prompts Chinese. `style` is the share that a linear "
        "discriminant over the examiner's features, fitted on the concepts that are not asked for, gives to the named "
        "style; `unasked` the share that it gives to that style when the same prompts name none, with the same noise: "
        "the difference is paired. Reference rows: the same discriminant on real sprites of the 200 concepts, on "
        f"{ASKED} of these after the model's autoencoder, and chance."
    )
    return [Table(suite=SUITE, title="Styles named in the prompt", note=note, rows=tuple(rows))]


def _together(answers: Sequence[Answers], agreements: Sequence[Bool[np.ndarray, "b"]]) -> list[Row]:
    """All styles, then of those the prompts in each language."""
    ranks, agrees = np.stack([answer.ranks for answer in answers]), np.stack(agreements)
    rows = [Row(name="all styles", figures={**top_of_each(ranks), "style": share_of_each(agrees)})]
    for language in LANGUAGES:
        members = answers[0].written_in(language)
        figures: dict[str, Figure] = {**top_of_each(ranks[:, members]), "style": share_of_each(agrees[:, members])}
        rows.append(Row(name=f"all styles, {LANGUAGE_NAMES[language]}", figures=figures))
    return rows


def _real(examination: Examination, classifier: StyleClassifier, style: str) -> Row:
    gallery = examination.gallery
    rows = gallery.where([concept.code for concept in concepts()], style)
    right = classifier.classify(gallery.features[rows]) == style
    return Row(name=f"real, {style}", figures={"style": share(right)}, reference=True)


def _rebuilt(examination: Examination, classifier: StyleClassifier, style: str) -> Row:
    """What a model can reach that paints perfect latents."""
    corpus, autoencoder = examination.resources.corpus, examination.painter.pipeline.autoencoder
    sprites = spread(sprites_of(corpus, [concept.code for concept in concepts()], style), ASKED)
    pictures = torch.cat([rebuilt(autoencoder, picture) for picture in sprite_pictures(sprites, corpus).split(1)])
    right = classifier.classify(examination.examiner.features(pictures)) == style
    return Row(name=f"real, {style}, rebuilt", figures={"style": share(right)}, reference=True)
