from collections.abc import Callable

import pytest

from mezzotint.data.records import read_records
from mezzotint.evaluation import styles
from mezzotint.evaluation.concept_list import Concept
from mezzotint.evaluation.examination import Examination
from mezzotint.evaluation.gallery import sprite_pictures
from mezzotint.evaluation.painter import Task
from mezzotint.evaluation.report import Row
from mezzotint.synthesis.styles import STYLES

NAMES = ["fluent-3d", "noto", "twemoji"]


def rows_of(examination: Examination) -> dict[str, Row]:
    (table,) = styles.tables(examination)
    return {row.name: row for row in table.rows}


def test_every_style_and_language_has_a_row(few_concepts: tuple[Concept, ...], examine: Callable[[], Examination]):
    rows = rows_of(examine())
    own = ["all styles", "all styles, English", "all styles, Chinese", *NAMES]
    assert [name for name, row in rows.items() if not row.reference] == own
    real = [f"real, {name}" for name in NAMES]
    references = [*real, *(f"{name}, rebuilt" for name in real), "chance"]
    assert [name for name, row in rows.items() if row.reference] == references
    assert rows["all styles"].figures["style"].count == 5
    assert rows["all styles, English"].figures["style"].count == 3  # three of five concepts
    assert rows["chance"].figures["style"].value == 1 / 3
    assert sum(rows[name].figures["style, unasked"].value for name in NAMES) == 1.0


def test_a_model_that_paints_the_named_style_is_right_as_often_as_the_real_ones(
    few_concepts: tuple[Concept, ...], examine: Callable[[], Examination]
):
    examination = examine()
    sprites = {(record.concept, record.style): record for record in read_records(examination.resources.corpus)}
    for position, concept in enumerate(few_concepts):
        for style in NAMES:
            (picture,) = sprite_pictures([sprites[concept.code, style]], examination.resources.corpus)
            prompt = concept.styled(STYLES[style], "zh" if position % 2 else "en")
            examination.painter._painted[Task(prompt, examination.seed + position)] = picture
    rows = rows_of(examination)
    for style in NAMES:
        assert rows[style].figures["style"].value == rows[f"real, {style}"].figures["style"].value
        assert rows[style].figures["alike"].value == 1.0
        named, unasked, gain = (rows[style].figures[f"alike{part}"] for part in ("", ", unasked", " − unasked"))
        assert gain.value == pytest.approx(named.value - unasked.value)
