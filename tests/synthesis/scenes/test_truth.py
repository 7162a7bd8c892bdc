import pytest

from mezzotint.synthesis.scenes.renderer import Rendered
from mezzotint.synthesis.scenes.truth import Scene, pixel_size


def test_json_holds_the_whole_truth(rendered: list[Rendered]) -> None:
    for _, scene in rendered:
        assert Scene.from_json(scene.to_json()) == scene


@pytest.mark.parametrize(
    ("aspect", "side", "size"),
    [((1, 1), 128, (128, 128)), ((3, 2), 256, (320, 208)), ((2, 3), 256, (208, 320)), ((4, 3), 128, (144, 112))],
)
def test_sizes_are_multiples_of_16(aspect: tuple[int, int], side: int, size: tuple[int, int]) -> None:
    assert pixel_size(aspect, side) == size
