"""The numbers inside GGUF's blocks: plain floats, and 32 or 256 small integers that share scales.

Layouts as in ggml's `ggml-common.h` and `ggml-quants.c`. Each decoder takes blocks as bytes, "n bytes", and gives their
numbers in fp32, "n block". Bits are unpacked as ggml packs them: low halves of all bytes first, then the high ones.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

CHUNK = 65_536  # blocks that are decoded together: at most 16.8 M numbers, 67 MB in fp32

PLAIN = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F64": torch.float64,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
}


def _half(data: UInt8[Tensor, "n bytes"]) -> Float[Tensor, "n halves"]:
    """Pairs of bytes as fp16, in fp32."""
    return data.contiguous().view(torch.float16).float()


def _nibbles(data: UInt8[Tensor, "n bytes"]) -> UInt8[Tensor, "n values"]:
    """The low halves of the bytes, then the high ones."""
    return torch.cat([data & 0xF, data >> 4], dim=1)


def _bits(data: UInt8[Tensor, "n bytes"], width: int) -> UInt8[Tensor, "n parts bytes"]:
    """Each byte's fields of so many bits, the lowest first."""
    return torch.stack([data >> shift & (1 << width) - 1 for shift in range(0, 8, width)], dim=1)


def _q4_0(data: UInt8[Tensor, "n 18"]) -> Float[Tensor, "n 32"]:
    return _half(data[:, :2]) * (_nibbles(data[:, 2:]).float() - 8)


def _q4_1(data: UInt8[Tensor, "n 20"]) -> Float[Tensor, "n 32"]:
    return _half(data[:, :2]) * _nibbles(data[:, 4:]) + _half(data[:, 2:4])


def _fifth_bits(data: UInt8[Tensor, "n 4"]) -> UInt8[Tensor, "n 32"]:
    """32 bits, the lowest first, each worth 16."""
    return rearrange(_bits(data, 1), "n bit byte -> n (byte bit)") << 4


def _q5_0(data: UInt8[Tensor, "n 22"]) -> Float[Tensor, "n 32"]:
    return _half(data[:, :2]) * ((_nibbles(data[:, 6:]) | _fifth_bits(data[:, 2:6])).float() - 16)


def _q5_1(data: UInt8[Tensor, "n 24"]) -> Float[Tensor, "n 32"]:
    return _half(data[:, :2]) * (_nibbles(data[:, 8:]) | _fifth_bits(data[:, 4:8])) + _half(data[:, 2:4])


def _q8_0(data: UInt8[Tensor, "n 34"]) -> Float[Tensor, "n 32"]:
    return _half(data[:, :2]) * data[:, 2:].contiguous().view(torch.int8)


def _scales_and_minima(data: UInt8[Tensor, "n 12"]) -> tuple[UInt8[Tensor, "n 8"], UInt8[Tensor, "n 8"]]:
    """Eight scales and eight minima of six bits: the upper two bits of the last four lie over the first four."""
    low, mid, high = data.split(4, dim=1)
    scales = torch.cat([low & 0x3F, high & 0xF | low >> 2 & 0x30], dim=1)
    minima = torch.cat([mid & 0x3F, high >> 4 | mid >> 2 & 0x30], dim=1)
    return scales, minima


def _scaled(data: UInt8[Tensor, "n bytes"], quants: UInt8[Tensor, "n 8 32"]) -> Float[Tensor, "n 256"]:
    """scale · q − minimum for each 32, both times a factor of the block; the start of Q4_K and Q5_K."""
    scales, minima = _scales_and_minima(data[:, 4:16])
    scale, minimum = _half(data[:, :2]) * scales, _half(data[:, 2:4]) * minima
    return (scale[..., None] * quants - minimum[..., None]).flatten(1)


def _q4_k(data: UInt8[Tensor, "n 144"]) -> Float[Tensor, "n 256"]:
    quants = rearrange(data[:, 16:], "n (group byte) -> (n group) byte", group=4)
    return _scaled(data, rearrange(_nibbles(quants), "(n group) (half q) -> n (group half) q", group=4, half=2))


def _q5_k(data: UInt8[Tensor, "n 176"]) -> Float[Tensor, "n 256"]:
    quants = rearrange(data[:, 48:], "n (group byte) -> (n group) byte", group=4)
    low = rearrange(_nibbles(quants), "(n group) (half q) -> n (group half) q", group=4, half=2)
    return _scaled(data, low | _bits(data[:, 16:48], 1) << 4)


def _q6_k(data: UInt8[Tensor, "n 210"]) -> Float[Tensor, "n 256"]:
    low = rearrange(data[:, :128], "n (half part q) -> (n half) part q", half=2, part=2)
    low = torch.cat([low & 0xF, low >> 4], dim=1)
    high = _bits(rearrange(data[:, 128:192], "n (half q) -> (n half) q", half=2), 2)
    quants = rearrange((low | high << 4).float() - 32, "(n half) part (s q) -> n (half part s) q", half=2, s=2)
    scales = _half(data[:, 208:]) * data[:, 192:208].contiguous().view(torch.int8)
    return (scales[..., None] * quants).flatten(1)


class Block(NamedTuple):
    """A quantisation: numbers and bytes of a block, and how to read it."""

    numbers: int
    nbytes: int
    decode: Callable[[Tensor], Tensor]


BLOCKS = {
    "Q8_0": Block(32, 34, _q8_0),
    "Q6_K": Block(256, 210, _q6_k),
    "Q5_K": Block(256, 176, _q5_k),
    "Q5_1": Block(32, 24, _q5_1),
    "Q5_0": Block(32, 22, _q5_0),
    "Q4_K": Block(256, 144, _q4_k),
    "Q4_1": Block(32, 20, _q4_1),
    "Q4_0": Block(32, 18, _q4_0),
}
READABLE = (*PLAIN, *BLOCKS)


def readable(name: str) -> bool:
    return name in READABLE


def decode(data: UInt8[Tensor, "bytes"], name: str, dtype: torch.dtype | None) -> Shaped[Tensor, "numbers"]:
    """A tensor's bytes as numbers: plain ones in their own dtype, quantised ones in fp32, unless another is given.

    Quantised ones are decoded some blocks at a time, so that the largest tensor needs no second of its size.
    """
    if name in PLAIN:
        plain = data.view(PLAIN[name])
        return plain.to(dtype) if dtype is not None and plain.is_floating_point() else plain
    block = BLOCKS[name]
    rows = data.view(-1, block.nbytes)
    numbers = torch.empty(len(rows), block.numbers, dtype=dtype or torch.float32)
    for source, target in zip(rows.split(CHUNK), numbers.split(CHUNK), strict=True):
        target.copy_(block.decode(source))
    return numbers.flatten()


# Writing ------------------------------------------------------------------------------------------


def _encode_q8_0(x: Float[Tensor, "n 32"]) -> UInt8[Tensor, "n 34"]:
    """The largest magnitude becomes ±127; halves are rounded away from zero, as C's roundf does."""
    scale = x.abs().amax(dim=1, keepdim=True) / 127
    q = x * torch.where(scale == 0, 0.0, 1 / scale)
    q = torch.trunc(q + q.sign() * 0.5).to(torch.int8)
    return torch.cat([scale.half().view(torch.uint8), q.view(torch.uint8)], dim=1)


def _encode_q4_0(x: Float[Tensor, "n 32"]) -> UInt8[Tensor, "n 18"]:
    """The number of the largest magnitude becomes −8."""
    extreme = x.gather(1, x.abs().argmax(dim=1, keepdim=True))
    scale = extreme / -8
    q = torch.trunc(x * torch.where(scale == 0, 0.0, 1 / scale) + 8.5).clamp(0, 15).to(torch.uint8)
    return torch.cat([scale.half().view(torch.uint8), q[:, :16] | q[:, 16:] << 4], dim=1)


ENCODERS: dict[str, Callable[[Tensor], Tensor]] = {"Q8_0": _encode_q8_0, "Q4_0": _encode_q4_0}
WRITABLE = ("Q8_0", "Q4_0", "BF16", "F16", "F32")


def encode(x: Float[Tensor, "*shape"], name: str) -> UInt8[Tensor, "bytes"]:
    """Numbers as a tensor's bytes. `name` is one of `WRITABLE`; the last axis fills whole blocks."""
    if name in PLAIN:
        return x.to(PLAIN[name]).contiguous().flatten().view(torch.uint8)
    rows = x.reshape(-1, BLOCKS[name].numbers)
    return torch.cat([ENCODERS[name](part.float()) for part in rows.split(CHUNK)]).flatten()
