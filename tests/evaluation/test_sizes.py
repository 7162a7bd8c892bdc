from collections.abc import Callable

import torch

from mezzotint.data.records import read_records
from mezzotint.evaluation import sizes
from mezzotint.evaluation.concept_list import Concept
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.gallery import sprite_pictures
from mezzotint.evaluation.painter import Task


def test_every_size_has_rows_for_both_languages_and_a_real_one(
    few_concepts: tuple[Concept, ...], examine: Callable[[], Examination]
):
    examination = examine()
    (table,) = sizes.tables(examination)
    shapes = ["32×48", "160×96", "96×160"]
    assert [row.name for row in table.rows if not row.reference] == [
        f"{shape}{suffix}" for shape in shapes for suffix in ("", ", English", ", Chinese")
    ]
    assert [row.name for row in table.rows if row.reference] == [*(f"real, {shape}" for shape in shapes), "chance"]
    assert table.columns == ["top-1", "top-5", "one"]
    assert {one.picture.shape[1:] for one in examination.shown} == {(96, 160), (160, 96)}


def test_a_model_that_paints_whole_sprites_shows_one_thing_as_often_as_the_real_ones(
    few_concepts: tuple[Concept, ...], examine: Callable[[], Examination]
):
    examination = examine()
    corpus = examination.resources.corpus
    sprites = {(record.concept, record.style): record for record in read_records(corpus, parts=["sprites"])}
    for position, concept in enumerate(few_concepts):
        prompt = concept.prompts["zh" if position % 2 else "en"]
        for size in sizes.SIZES:
            (picture,) = sprite_pictures([sprites[concept.code, sizes.REAL]], corpus, size)
            assert picture.shape == torch.Size((3, size.height, size.width))
            examination.painter._painted[Task(prompt, examination.seed + position, size)] = picture
    rows = {row.name: row.figures for row in sizes.tables(examination)[0].rows}
    for size in sizes.SIZES:
        shape = f"{size.width}×{size.height}"
        assert rows[shape]["one"].value == rows[f"real, {shape}"]["one"].value
