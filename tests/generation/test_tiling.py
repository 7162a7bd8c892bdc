import pytest
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.tiling import decode_in_tiles, tile_starts


class Enlarging:
    """Local, so tiles cannot be told from the whole."""

    downscale = 8
    sizes: list[tuple[int, ...]]

    def __init__(self) -> None:
        self.sizes = []

    def decode(self, latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 height width"]:
        self.sizes.append(tuple(latents.shape[2:]))
        return F.interpolate(latents[:, :3], scale_factor=8.0)


@pytest.mark.parametrize("size", [(20, 33), (8, 40), (17, 9)])
def test_what_is_local_has_no_seams(size: tuple[int, int]) -> None:
    latents = torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(0))
    decoder = Enlarging()
    found = decode_in_tiles(decoder, latents, tile=16, overlap=4)
    torch.testing.assert_close(found, Enlarging().decode(latents), atol=1e-5, rtol=0)
    assert all(max(tile) <= 16 for tile in decoder.sizes)


def test_small_pictures_are_decoded_whole() -> None:
    decoder = Enlarging()
    decode_in_tiles(decoder, torch.zeros(1, 4, 16, 10), tile=16, overlap=4)
    assert decoder.sizes == [(16, 10)]


@pytest.mark.parametrize(("length", "expected"), [(16, [0]), (17, [0, 1]), (40, [0, 12, 24]), (41, [0, 12, 24, 25])])
def test_tiles_cover_an_axis(length: int, expected: list[int]) -> None:
    assert tile_starts(length, tile=16, overlap=4) == expected


def test_a_step_at_a_seam_is_spread(pipe: Pipeline) -> None:
    """Of a real autoencoder: what norms and attention change does not jump where tiles meet."""
    latents = torch.randn(1, 16, 24, 24, generator=torch.Generator().manual_seed(0))
    whole = pipe.autoencoder.decode(latents)
    difference = decode_in_tiles(pipe.autoencoder, latents, tile=16, overlap=8) - whole
    jumps = difference.diff(dim=3).abs().mean(dim=(0, 1, 2))
    seams = [64, 128]  # where a tile begins and where one ends
    assert max(jumps[place - 1] for place in seams) < 3 * jumps.mean()
