"""The suite "sizes": does a picture of another shape show the thing, once, and whole.

The examiner says whether it is the prompted one; the judge of scenes counts: a thing that is repeated, or cut in pieces
at an edge, is not one.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mezzotint.data.buckets import Bucket
from mezzotint.evaluation.answers import LANGUAGE_NAMES, ask, by_turns, top
from mezzotint.evaluation.concept_list import Concept, concepts, spread
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.gallery import check_concepts, sprite_pictures, sprites_of
from mezzotint.evaluation.report import Row, Table, constant, share
from mezzotint.evaluation.scenes import THRESHOLD
from mezzotint.perception.scene_judge import SceneJudge, sightings
from mezzotint.synthesis.concepts import LANGUAGES

SUITE = "sizes"
ASKED = 100  # concepts in each size
SIZES = (Bucket(160, 96), Bucket(96, 160))
REAL = "noto"  # the style whose sprites are looked up among the others
_BATCH = 64


def tables(examination: Examination) -> list[Table]:
    asked = spread(spread(concepts(), examination.limit), ASKED)
    check_concepts(examination.gallery, [concept.code for concept in asked])
    rows, references = [], []
    for size in (None, *SIZES):
        shape, own = _rows(examination, asked, size)
        rows += own
        references.append(_real(examination, asked, shape))
    names = len(examination.gallery.names)
    chance = {f"top-{first}": constant(first / names, len(asked)) for first in (1, 5)}
    note = (
        f"The same {len(asked)} prompts, half of them Chinese, in each size; the examiner sees white margins. `one` is "
        "the share of pictures in which the judge of scenes sees one object. Reference rows: real sprites of "
        f"{REAL} on white in that size, looked up among the other styles, and chance."
    )
    everything = (*rows, *references, Row(name="chance", figures=chance, reference=True))
    return [Table(suite=SUITE, title="Picture sizes", note=note, rows=everything)]


def _rows(examination: Examination, asked: Sequence[Concept], size: Bucket | None) -> tuple[Bucket, list[Row]]:
    """The size, and its rows: all prompts, then those of each language."""
    answer = ask(examination, asked, by_turns(len(asked)), size=size)
    height, width = answer.pictures.shape[-2:]
    if size is not None:
        examination.show(f"{width}×{height}", answer.prompts, answer.pictures, answer.ranks == 0)
    one = _shows_one(examination.resources.judge, answer.pictures)
    members = {"": np.ones(len(asked), bool)}
    members |= {f", {LANGUAGE_NAMES[language]}": answer.written_in(language) for language in LANGUAGES}
    rows = [
        Row(name=f"{width}×{height}{suffix}", figures={**top(answer.ranks[chosen]), "one": share(one[chosen])})
        for suffix, chosen in members.items()
    ]
    return Bucket(width, height), rows


def _real(examination: Examination, asked: Sequence[Concept], size: Bucket) -> Row:
    gallery, corpus = examination.gallery, examination.resources.corpus
    sprites = sprites_of(corpus, [concept.code for concept in asked], REAL)
    pictures = sprite_pictures(sprites, corpus, size)
    features = examination.examiner.features(pictures)
    ranks = gallery.ranks(features, [record.concept or "" for record in sprites], np.asarray(gallery.styles) != REAL)
    figures = {**top(ranks), "one": share(_shows_one(examination.resources.judge, pictures))}
    return Row(name=f"real, {size.width}×{size.height}", figures=figures, reference=True)


@torch.inference_mode()
def _shows_one(judge: SceneJudge, pictures: Float[Tensor, "b 3 h w"]) -> Bool[np.ndarray, "b"]:
    device = judge.out.weight.device
    maps = [judge(part.to(device)).centres.cpu() for part in pictures.split(_BATCH)]
    return np.array([len(sightings(centres, THRESHOLD)) == 1 for centres in torch.cat(maps)])
