"""Four bits a number, and scales for every 64 neighbours in a row."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from mezzotint.models.quantization.linear import PackedLinear

BLOCK = 64
LEVELS = 16
LEAST = 2.0**-100  # magnitude of a block of zeros
# The quantiles of a standard normal distribution, from −1 to 1, with 0 among them (Dettmers et al. 2023, QLoRA, arXiv
# 2305.14314, appendix E).
NORMAL_FLOAT = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)


class FourBitLinear(PackedLinear):
    """`codes`, two in a byte, the first in the lower half; a kind says which numbers they are.

    Rows are filled up with zeros to whole blocks.
    """

    codes: Tensor
    scale: Tensor

    @property
    def blocks(self) -> int:
        """In a row."""
        return -(-self.in_features // BLOCK)

    def in_blocks(self, weight: Float[Tensor, "rows in"]) -> Float[Tensor, "rows blocks 64"]:
        padded = F.pad(weight.float(), (0, self.blocks * BLOCK - self.in_features))
        return rearrange(padded, "row (block number) -> row block number", number=BLOCK)

    def numbers(self, start: int, stop: int, levels: tuple[float, ...], dtype: torch.dtype) -> Float[Tensor, "_ _ 64"]:
        """The level of each code of some rows, "row block number"."""
        flat = pairs_of(levels, dtype, self.codes.device).index_select(0, self.codes[start:stop].reshape(-1).int())
        return flat.view(dtype).view(stop - start, self.blocks, BLOCK)

    def cut(self, x: Float[Tensor, "rows _ 64"]) -> Float[Tensor, "rows in"]:
        return x.flatten(1)[:, : self.in_features]


class Int4Linear(FourBitLinear):
    """low + scale · q with q from 0 to 15: from a block's least number to its largest."""

    bits = 4.5
    low: Tensor

    def layout(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return {
            "codes": ((self.out_features, self.blocks * BLOCK // 2), torch.uint8),
            "scale": ((self.out_features, self.blocks), torch.bfloat16),
            "low": ((self.out_features, self.blocks), torch.bfloat16),
        }

    def pack(self, weight: Float[Tensor, "out in"]) -> dict[str, Shaped[Tensor, "..."]]:
        parts = [self._pack(self.in_blocks(weight[start:stop])) for start, stop in self.parts()]
        return {
            name: torch.cat(part)
            for name, part in zip(("codes", "scale", "low"), zip(*parts, strict=True), strict=True)
        }

    def _pack(self, x: Float[Tensor, "rows blocks 64"]) -> tuple[Tensor, Tensor, Tensor]:
        low, high = x.amin(2).bfloat16(), x.amax(2)
        scale = ((high - low.float()) / (LEVELS - 1)).clamp_min(LEAST).bfloat16()
        codes = ((x - low.float()[..., None]) / scale.float()[..., None]).round().clamp(0, LEVELS - 1)
        return in_pairs(codes), scale, low

    def unpack(self, start: int, stop: int, dtype: torch.dtype) -> Float[Tensor, "rows in"]:
        q = self.numbers(start, stop, tuple(map(float, range(LEVELS))), dtype)
        low, scale = (x[start:stop, :, None].to(dtype) for x in (self.low, self.scale))
        return self.cut(q.mul_(scale).add_(low))


class NormalFloat4Linear(FourBitLinear):
    """scale · level, with the levels of NormalFloat and the block's largest magnitude as scale."""

    bits = 4.25

    def layout(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return {
            "codes": ((self.out_features, self.blocks * BLOCK // 2), torch.uint8),
            "scale": ((self.out_features, self.blocks), torch.bfloat16),
        }

    def pack(self, weight: Float[Tensor, "out in"]) -> dict[str, Shaped[Tensor, "..."]]:
        parts = [self._pack(self.in_blocks(weight[start:stop])) for start, stop in self.parts()]
        return {name: torch.cat(part) for name, part in zip(("codes", "scale"), zip(*parts, strict=True), strict=True)}

    def _pack(self, x: Float[Tensor, "rows blocks 64"]) -> tuple[Tensor, Tensor]:
        levels = torch.tensor(NORMAL_FLOAT, device=x.device)
        scale = x.abs().amax(2).clamp_min(LEAST).bfloat16()
        between = (levels[1:] + levels[:-1]) / 2
        return in_pairs(torch.bucketize(x / scale.float()[..., None], between)), scale

    def unpack(self, start: int, stop: int, dtype: torch.dtype) -> Float[Tensor, "rows in"]:
        return self.cut(self.numbers(start, stop, NORMAL_FLOAT, dtype).mul_(self.scale[start:stop, :, None].to(dtype)))


def in_pairs(codes: Shaped[Tensor, "rows blocks 64"]) -> UInt8[Tensor, "rows bytes"]:
    """Two neighbours to a byte."""
    low, high = rearrange(codes.to(torch.uint8), "row block (byte two) -> two row (block byte)", two=2)
    return low | high << 4


@lru_cache
@torch.inference_mode(False)
def pairs_of(levels: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Int[Tensor, "256"]:
    """For each byte its two numbers, side by side, as one integer of twice the width: one look-up a byte."""
    table = torch.tensor(levels, dtype=dtype)
    low, high = repeat(table, "low -> high low", high=LEVELS), repeat(table, "high -> high low", low=LEVELS)
    wide = torch.int64 if dtype.itemsize == 4 else torch.int32
    return torch.stack([low, high], dim=2).flatten().view(wide).to(device)
