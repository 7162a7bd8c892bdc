import torch
from diffusers.models.transformers.transformer_z_image import RopeEmbedder

from mezzotint.models.single_stream.config import MINI
from mezzotint.models.single_stream.rotary import RotaryTables

POSITIONS = torch.tensor([[0, 0, 0], [1, 0, 0], [7, 3, 60], [500, 511, 1], [1535, 2, 511]])


def test_angles_are_the_published_ones() -> None:
    published = RopeEmbedder(MINI.rope_theta, MINI.axes_dims, MINI.axes_lens)(POSITIONS)
    cos, sin = RotaryTables(MINI).at(POSITIONS)
    pairs = MINI.head_dim // 2
    torch.testing.assert_close(torch.complex(cos[:, :pairs], sin[:, pairs:]), published, atol=1e-7, rtol=0)
