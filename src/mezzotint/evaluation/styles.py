"""The suite "styles": is a picture drawn in the style that the prompt names, and does it still show the thing."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float

from mezzotint.evaluation.answers import LANGUAGE_NAMES, Answers, ask, by_turns, top, top_of_each
from mezzotint.evaluation.concept_list import concepts, spread
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.gallery import Gallery, check_concepts, sprite_pictures, sprites_of
from mezzotint.evaluation.reconstruction import rebuilt
from mezzotint.evaluation.report import Figure, Row, Table, constant, difference, share, share_of_each
from mezzotint.evaluation.style_classifier import StyleClassifier, fit_styles
from mezzotint.synthesis.concepts import LANGUAGES
from mezzotint.synthesis.styles import STYLES

SUITE = "styles"
ASKED = 100  # concepts in each style
REBUILT = 50  # real sprites of each style, after the autoencoder


def tables(examination: Examination) -> list[Table]:
    """Every style asked for by name, in the two languages by turns."""
    gallery = examination.gallery
    asked = spread(spread(concepts(), examination.limit), ASKED)
    codes = [concept.code for concept in asked]
    check_concepts(gallery, codes)
    classifier = fit_styles(gallery, [concept.code for concept in concepts()])
    languages, names = by_turns(len(asked)), sorted(set(gallery.styles))
    plain = _told(classifier, gallery, ask(examination, asked, languages).features, codes)
    rows, agreements, answers = [], [], []
    for style in names:
        look = [concept.styled(STYLES[style], language) for concept, language in zip(asked, languages, strict=True)]
        answer = ask(examination, asked, languages, look)
        told = _told(classifier, gallery, answer.features, codes)
        examination.show(SUITE, answer.prompts, answer.pictures, told.style == style)
        rows.append(Row(name=style, figures={**top(answer.ranks), **_figures(gallery, told, plain, codes, style)}))
        answers.append(answer)
        agreements.append(told.style == style)
    rows = [
        *_together(answers, agreements),
        *rows,
        *(_real(examination, classifier, style) for style in names),
        *(_rebuilt(examination, classifier, style) for style in names),
        Row(name="chance", figures={"style": constant(1 / len(names), len(asked) * len(names))}, reference=True),
    ]
    note = (
        f"{len(asked)} concepts in each style, half of the prompts Chinese. `style` is the share that a linear "
        "discriminant over the examiner's features, fitted on the concepts that are not asked for, gives to the named "
        "style. `alike` is the share whose nearest real sprite of the same concept is in that style, of the concepts "
        "that have one. `unasked` are the same shares where the same prompts name no style, with the same noise: the "
        "differences are paired. Reference rows: the discriminant on real sprites of the 200 concepts, both on "
        f"{REBUILT} of these after the model's autoencoder, and chance."
    )
    return [Table(suite=SUITE, title="Styles named in the prompt", note=note, rows=tuple(rows))]


class _Told(NamedTuple):
    """Of each picture: the style by the discriminant, and that of the nearest real sprite of the same concept."""

    style: np.ndarray
    alike: np.ndarray


def _told(
    classifier: StyleClassifier, gallery: Gallery, features: Float[np.ndarray, "b d"], codes: Sequence[str]
) -> _Told:
    return _Told(classifier.classify(features), gallery.styles_alike(features, codes))


def _figures(gallery: Gallery, told: _Told, plain: _Told, codes: Sequence[str], style: str) -> dict[str, Figure]:
    drawn = np.isin(codes, [gallery.concepts[row] for row in gallery.where(codes, style)])
    named, unasked = share(told.style == style), share(plain.style == style)
    figures = {"style": named, "style, unasked": unasked, "style − unasked": difference(named, unasked)}
    if drawn.any():
        alike, unasked = share(told.alike[drawn] == style), share(plain.alike[drawn] == style)
        figures |= {"alike": alike, "alike, unasked": unasked, "alike − unasked": difference(alike, unasked)}
    return figures


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
    sprites = spread(sprites_of(corpus, [concept.code for concept in concepts()], style), REBUILT)
    pictures = torch.cat([rebuilt(autoencoder, picture) for picture in sprite_pictures(sprites, corpus).split(1)])
    features, codes = examination.examiner.features(pictures), [sprite.concept or "" for sprite in sprites]
    told = _told(classifier, examination.gallery, features, codes)
    figures = {"style": share(told.style == style), "alike": share(told.alike == style)}
    return Row(name=f"real, {style}, rebuilt", figures=figures, reference=True)
