import pytest
import torch
from diffusers.models.transformers.transformer_qwenimage import QwenEmbedRope

from mezzotint.errors import InputError
from mezzotint.models.dual_stream import QWEN_IMAGE
from mezzotint.models.dual_stream.rotary import POSITIONS, THETA, angles, caption_positions, picture_positions


@pytest.mark.parametrize(
    "pictures",
    [((8, 8),), ((5, 7),), ((64, 1),), ((6, 4), (9, 3)), ((4, 4), (7, 2), (1, 11))],
    ids=["square", "odd", "line", "one reference", "two references"],
)
def test_angles_are_the_published_ones(pictures: tuple[tuple[int, int], ...]) -> None:
    published = QwenEmbedRope(int(THETA), list(QWEN_IMAGE.axes_dims), scale_rope=True)
    picture, text = published([[(1, *size) for size in pictures]], device=torch.device("cpu"), max_txt_seq_len=50)
    positions = torch.cat([picture_positions(size, i) for i, size in enumerate(pictures)])
    for ids, expected in ((positions, picture), (caption_positions(50, pictures), text)):
        turned = angles(QWEN_IMAGE, ids)
        torch.testing.assert_close(torch.complex(turned.cos(), turned.sin()), expected, atol=1e-6, rtol=0)


def test_a_larger_picture_moves_no_position_and_its_caption_begins_beyond_it() -> None:
    small = {tuple(row) for row in picture_positions((4, 6), 0).tolist()}
    large = {tuple(row) for row in picture_positions((8, 8), 0).tolist()}
    assert small < large
    assert caption_positions(2, ((4, 6), (8, 8))).tolist() == [[4, 4, 4], [5, 5, 5]]
    assert max(max(row) for row in large) == 3


def test_refuses_positions_beyond_the_tables() -> None:
    angles(QWEN_IMAGE, caption_positions(POSITIONS - 4, ((8, 8),)))
    with pytest.raises(InputError, match="position 4096 is beyond"):
        angles(QWEN_IMAGE, caption_positions(POSITIONS - 3, ((8, 8),)))
