"""Decoding in tiles that overlap, so that a large picture needs the memory of a small one.

An autoencoder is nearly local: beyond its convolutions only the norms' statistics and the attention of its middle see
the whole picture. So tiles differ a little, and where they overlap they are blended linearly.
"""

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

TILE = 64  # latent pixels on a side: pictures of 512
OVERLAP = 16  # of neighbouring tiles


class Decoder(Protocol):
    @property
    def downscale(self) -> int: ...

    def decode(self, latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 height width"]: ...


def decode_in_tiles(
    autoencoder: Decoder, latents: Float[Tensor, "b c h w"], tile: int = TILE, overlap: int = OVERLAP
) -> Float[Tensor, "b 3 height width"]:
    """Pictures, each tile of `tile` latent pixels a side decoded by itself; whole where they are no larger."""
    height, width = latents.shape[2:]
    if height <= tile and width <= tile:
        return autoencoder.decode(latents)
    down = autoencoder.downscale
    picture = latents.new_zeros(len(latents), 3, height * down, width * down)
    weight = latents.new_zeros(height * down, width * down)
    for top in tile_starts(height, tile, overlap):
        for left in tile_starts(width, tile, overlap):
            part = latents[:, :, top : top + tile, left : left + tile]
            rows, columns = (
                slice(start * down, (start + size) * down)
                for start, size in ((top, part.shape[2]), (left, part.shape[3]))
            )
            share = ramp(part.shape[2] * down, overlap * down, latents)[:, None] * ramp(
                part.shape[3] * down, overlap * down, latents
            )
            picture[:, :, rows, columns] += autoencoder.decode(part).mul_(share)
            weight[rows, columns] += share
    return picture.div_(weight)


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin: they overlap by `overlap`, the last one by more, since it ends where the picture does."""
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile - overlap), length - tile]


def ramp(length: int, overlap: int, like: Tensor) -> Float[Tensor, "length"]:
    """A tile's share along an axis: it rises over the overlap and falls at the other end, never to 0."""
    places = torch.arange(1, length + 1, device=like.device, dtype=like.dtype)
    return torch.minimum(places, places.flip(0)).clamp(max=overlap + 1)
