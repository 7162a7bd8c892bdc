"""A linear layer that keeps a GGUF file's own blocks, and decodes some rows of them at a time."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from mezzotint.models.formats import StoredTensor
from mezzotint.models.formats.blocks import BLOCKS
from mezzotint.models.quantization.linear import QuantizedLinear


class Segment(NamedTuple):
    """Rows of a layer that one matrix of the file gives.

    Attributes:
        stored: The matrix. rows: Where they lie. order: For each of them the file's row; None where it is the same.
    """

    stored: StoredTensor
    rows: range
    order: Int[Tensor, "rows"] | None


class StoredBlocksLinear(QuantizedLinear):
    """Rows in one or several of ggml's quantisations: layers that are fused here may be of unequal ones there."""

    bits = 0.0  # the file's

    def __init__(self, in_features: int, out_features: int, bias: bool, segments: Sequence[Segment]) -> None:
        self.segments = list(segments)
        super().__init__(in_features, out_features, bias)

    def layout(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return {
            f"blocks_{i}": ((len(segment.rows), self._row_bytes(segment)), torch.uint8)
            for i, segment in enumerate(self.segments)
        }

    def _row_bytes(self, segment: Segment) -> int:
        block = BLOCKS[segment.stored.dtype]
        return self.in_features // block.numbers * block.nbytes

    def read(self) -> Mapping[str, Shaped[Tensor, "..."]]:
        """Its buffers, out of the file."""
        return {f"blocks_{i}": _rows(segment) for i, segment in enumerate(self.segments)}

    def parts(self) -> list[tuple[int, int]]:  # type: ignore[override]
        """No part has rows of two segments."""
        ends = {segment.rows.stop for segment in self.segments}
        bounds = sorted({start for start, _ in super().parts()} | ends | {0})
        return list(pairwise(bounds))

    def unpack(self, start: int, stop: int, dtype: torch.dtype) -> Float[Tensor, "rows in"]:
        number, segment = next((i, s) for i, s in enumerate(self.segments) if start in s.rows)
        block, first = BLOCKS[segment.stored.dtype], segment.rows.start
        data = self.get_buffer(f"blocks_{number}")[start - first : stop - first]
        return block.decode(data.reshape(-1, block.nbytes)).to(dtype).view(stop - start, self.in_features)


def keeps_blocks(stored: StoredTensor) -> bool:
    """Whether a tensor is a matrix of blocks that can stay as they are."""
    return stored.packed is not None and stored.dtype in BLOCKS


def _rows(segment: Segment) -> Shaped[Tensor, "rows bytes"]:
    assert segment.stored.packed is not None  # whoever makes a segment has asked `keeps_blocks`
    data = segment.stored.packed()
    return data.clone() if segment.order is None else data[segment.order]
