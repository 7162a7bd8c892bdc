import torch
from diffusers.models.transformers.transformer_z_image import RopeEmbedder

from mezzotint.models.rotary import Rotary, halves_to_pairs, pairs_to_halves, rotate
from mezzotint.models.single_stream.config import MINI
from mezzotint.models.single_stream.rotary import RotaryTables

POSITIONS = torch.tensor([[0, 0, 0], [1, 0, 0], [7, 3, 60], [500, 511, 1], [1535, 2, 511]])


def test_angles_are_the_published_ones() -> None:
    published = RopeEmbedder(MINI.rope_theta, MINI.axes_dims, MINI.axes_lens)(POSITIONS)
    cos, sin = RotaryTables(MINI).at(POSITIONS)
    pairs = MINI.head_dim // 2
    torch.testing.assert_close(torch.complex(cos[:, :pairs], sin[:, pairs:]), published, atol=1e-7, rtol=0)


def test_rotates_as_complex_numbers_do() -> None:
    x = torch.randn(1, len(POSITIONS), 2, 3, MINI.head_dim, generator=torch.Generator().manual_seed(0))
    published = RopeEmbedder(MINI.rope_theta, MINI.axes_dims, MINI.axes_lens)(POSITIONS)
    turned = torch.view_as_complex(x.unflatten(-1, (-1, 2))) * published[None, :, None, None]
    expected = torch.view_as_real(turned).flatten(-2)

    cos, sin = (table[None, :, None, None] for table in RotaryTables(MINI).at(POSITIONS))
    halves = pairs_to_halves(x.movedim(-1, 0), 1).movedim(0, -1)
    actual = halves_to_pairs(rotate(halves, Rotary(cos, sin)).movedim(-1, 0), 1).movedim(0, -1)
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=0)


def test_channel_orders_are_inverse_and_stay_in_their_head() -> None:
    channels = torch.arange(12)
    halves = pairs_to_halves(channels, 2)
    assert halves.tolist() == [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]
    assert torch.equal(halves_to_pairs(halves, 2), channels)
