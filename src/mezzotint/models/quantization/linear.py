"""A linear layer whose matrix is packed in fewer bits than its input has."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

UNPACKED = 1 << 22  # numbers of a matrix that are unpacked together: 8 MB in bf16, whatever the matrix has


class QuantizedLinear(nn.Module, ABC):
    """x · Wᵀ + bias. The buffers are W, packed; the bias is as it was.

    A kind says what its buffers are (`layout`) and reads rows of W (`unpack`). The product then runs over some rows
    after another, so that W never stands unpacked in memory.
    """

    bits: ClassVar[float]  # of a number of a large matrix, scales included

    def __init__(self, in_features: int, out_features: int, bias: bool) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        for name, (shape, dtype) in self.layout().items():
            self.register_buffer(name, torch.empty(shape, dtype=dtype))

    @abstractmethod
    def layout(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        """Shape and dtype of each buffer."""
        ...

    @abstractmethod
    def unpack(self, start: int, stop: int, dtype: torch.dtype) -> Float[Tensor, "rows in"]:
        """Some rows of the matrix, as numbers."""
        ...

    def multiply(self, x: Float[Tensor, "*n in"], start: int, stop: int) -> Float[Tensor, "*n rows"]:
        """x · Wᵀ for some rows of W."""
        return F.linear(x, self.unpack(start, stop, x.dtype))

    @property
    def weight(self) -> Float[Tensor, "out in"]:
        """The whole matrix in fp32, made anew at every look."""
        return torch.cat([self.unpack(start, stop, torch.float32) for start, stop in self.parts()])

    def parts(self) -> Iterator[tuple[int, int]]:
        """Rows that are unpacked together."""
        rows = max(1, UNPACKED // self.in_features)
        return ((start, min(start + rows, self.out_features)) for start in range(0, self.out_features, rows))

    def forward(self, x: Float[Tensor, "*n in"]) -> Float[Tensor, "*n out"]:
        parts = list(self.parts())
        if len(parts) == 1:
            y = self.multiply(x, *parts[0])
        else:
            y = x.new_empty(*x.shape[:-1], self.out_features)
            for start, stop in parts:
                y[..., start:stop] = self.multiply(x, start, stop)
        return y if self.bias is None else y + self.bias


class PackedLinear(QuantizedLinear):
    """One whose buffers are made of a matrix, whatever file that came from."""

    @abstractmethod
    def pack(self, weight: Float[Tensor, "out in"]) -> dict[str, Shaped[Tensor, "..."]]:
        """A matrix as buffers, on its device."""
        ...
