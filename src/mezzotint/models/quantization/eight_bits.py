"""Eight bits a number and a scale for every row: integers, or floats with four bits of exponent and three of mantissa.

Weight-only kinds multiply in the input's dtype. Dynamic ones quantise the input as well, each token by its own largest
magnitude, and multiply in eight bits where the device can (Dettmers et al. 2022, arXiv 2208.07339, section 2; for the
floats Micikevicius et al. 2022, arXiv 2209.05433).
"""

from abc import abstractmethod
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int8, Shaped
from torch import Tensor

from mezzotint.models.quantization.linear import PackedLinear

INT8_MOST, FLOAT8_MOST = 127.0, 448.0
LEAST_SCALE = 2.0**-100  # of a row of zeros
MULTIPLE = 16  # of both sides of a matrix that a device multiplies in eight bits
MORE_ROWS_THAN = 16  # that CUDA wants of the other matrix, for integers


class EightBitLinear(PackedLinear):
    """`codes` times `scale`, a number for each row."""

    bits = 8.0
    dtype: torch.dtype
    most: float
    codes: Tensor
    scale: Tensor

    def layout(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return {
            "codes": ((self.out_features, self.in_features), self.dtype),
            "scale": ((self.out_features,), torch.float32),
        }

    def pack(self, weight: Float[Tensor, "out in"]) -> dict[str, Shaped[Tensor, "..."]]:
        codes = torch.empty_like(weight, dtype=self.dtype)
        scale = row_scales(weight, self.most)
        for start, stop in self.parts():
            codes[start:stop] = self.round(weight[start:stop].float() / scale[start:stop, None])
        return {"codes": codes, "scale": scale}

    @abstractmethod
    def round(self, x: Float[Tensor, "*n"]) -> Shaped[Tensor, "*n"]:
        """Numbers of at most `most` as codes."""
        ...

    def numbers(self, codes: Shaped[Tensor, "*n"], dtype: torch.dtype) -> Float[Tensor, "*n"]:
        """Codes as numbers, exactly."""
        return codes.to(dtype)

    def unpack(self, start: int, stop: int, dtype: torch.dtype) -> Float[Tensor, "rows in"]:
        return self.numbers(self.codes[start:stop], dtype) * self.scale[start:stop, None].to(dtype)

    def multiply(self, x: Float[Tensor, "*n in"], start: int, stop: int) -> Float[Tensor, "*n rows"]:
        """The scale comes after the product, since bf16 holds the codes exactly; fp16 has not the range for that."""
        if x.dtype == torch.float16:
            return super().multiply(x, start, stop)
        # The scale first: torch.compile (2.13) takes the other order for a kernel of its own, and fails at it.
        return self.scale[start:stop].to(x.dtype) * F.linear(x, self.numbers(self.codes[start:stop], x.dtype))


class Int8Linear(EightBitLinear):
    """Integers, −127 to 127."""

    dtype, most = torch.int8, INT8_MOST

    def round(self, x: Float[Tensor, "*n"]) -> Int8[Tensor, "*n"]:
        return x.round().to(torch.int8)


class Float8Linear(EightBitLinear):
    """Floats of the kind e4m3, up to 448."""

    dtype, most = torch.float8_e4m3fn, FLOAT8_MOST

    def round(self, x: Float[Tensor, "*n"]) -> Shaped[Tensor, "*n"]:
        return x.clamp(-FLOAT8_MOST, FLOAT8_MOST).to(torch.float8_e4m3fn)

    def numbers(self, codes: Shaped[Tensor, "*n"], dtype: torch.dtype) -> Float[Tensor, "*n"]:
        if codes.device.type != "cpu":
            return codes.to(dtype)
        # PyTorch's own conversion takes ten times as long on a processor (docs/log.md).
        flat = codes.reshape(-1).view(torch.uint8).int()
        return all_float8(dtype).index_select(0, flat).view(codes.shape)


class DynamicInt8Linear(Int8Linear):
    """Int8Linear that multiplies integers."""

    def forward(self, x: Float[Tensor, "*n in"]) -> Float[Tensor, "*n out"]:
        rows = x.reshape(-1, self.in_features)
        scale = row_scales(rows, INT8_MOST)
        codes = self.round(rows / scale[:, None])
        y = (integer_product(codes, self.codes) * scale[:, None] * self.scale).to(x.dtype)
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], -1)


class DynamicFloat8Linear(Float8Linear):
    """Float8Linear that multiplies eight-bit floats, on the devices that can: compute capability 8.9 and up."""

    def forward(self, x: Float[Tensor, "*n in"]) -> Float[Tensor, "*n out"]:
        rows = x.reshape(-1, self.in_features)
        scale = row_scales(rows, FLOAT8_MOST)
        codes = self.round(rows / scale[:, None])
        if not multiplies_float8(x.device) or self.in_features % MULTIPLE or self.out_features % MULTIPLE:
            near = self.numbers(codes, x.dtype) * scale[:, None].to(x.dtype)
            return super().forward(near.view(x.shape))
        scales = scale[:, None], self.scale[None]
        y = torch._scaled_mm(codes, self.codes.T, *scales, out_dtype=torch.bfloat16, use_fast_accum=True).to(x.dtype)
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], -1)


def row_scales(x: Float[Tensor, "n d"], most: float) -> Float[Tensor, "n"]:
    """By what each row is divided, so that its largest magnitude becomes `most`."""
    return (x.abs().amax(dim=1).float() / most).clamp_min(LEAST_SCALE)


def integer_product(x: Int8[Tensor, "n d"], weight: Int8[Tensor, "out d"]) -> Float[Tensor, "n out"]:
    """x · weightᵀ, summed in integers."""
    if x.device.type == "cuda":
        if weight.shape[0] % 8 or weight.shape[1] % 8:
            return F.linear(x.float(), weight.float())
        missing = max(0, MORE_ROWS_THAN + 1 - len(x))
        return torch._int_mm(F.pad(x, (0, 0, 0, missing)), weight.T)[: len(x)].float()
    return torch._int_mm(x, weight.T).float()


@lru_cache
def multiplies_float8(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 9)


@lru_cache
@torch.inference_mode(False)
def all_float8(dtype: torch.dtype) -> Float[Tensor, "256"]:
    """Every number of the kind e4m3, by its bits."""
    return torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).to(dtype)
