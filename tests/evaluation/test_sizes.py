from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.evaluation import sizes
from mezzotint.evaluation.concept_list import Concept
from mezzotint.evaluation.examination import Examination
from mezzotint.perception.scene_judge import Maps


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


class Counting(nn.Module):
    """Sees as many objects as the first pixel says."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(1, 1)

    def forward(self, pictures: Float[Tensor, "b 3 h w"]) -> Maps:
        centres = torch.full((len(pictures), 8, 8), -9.0)
        for position, picture in enumerate(pictures):
            centres[position, 0, : 2 * int(picture[0, 0, 0]) : 2] = 9.0
        return Maps(centres, centres, centres, centres)


def test_one_object_is_one_neither_none_nor_two() -> None:
    pictures = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 3, 16, 16)
    assert sizes._shows_one(Counting(), pictures).tolist() == [False, True, False]  # type: ignore[arg-type]
