"""Against the dequantiser and quantiser of the `gguf` package."""

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, dequantize, quantize
from torch import Tensor

from mezzotint.models.formats import blocks


def random_blocks(name: str, count: int) -> Tensor:
    """Any bits are valid, save that the factors are finite: one fp16 at the start, or two; Q6_K's is its last."""
    generator = torch.Generator().manual_seed(0)
    data = torch.randint(0, 256, (count, blocks.BLOCKS[name].nbytes), dtype=torch.uint8, generator=generator)
    halves = torch.randn(count, 2, generator=generator).half().view(torch.uint8)
    factors = 4 if name in ("Q4_1", "Q5_1", "Q4_K", "Q5_K") else 2
    place = slice(-2, None) if name == "Q6_K" else slice(0, factors)
    data[:, place] = halves[:, :factors]
    return data


@pytest.mark.parametrize("name", blocks.BLOCKS)
def test_random_blocks_are_read_as_the_library_reads_them(name: str) -> None:
    data = random_blocks(name, 300)
    expected = dequantize(data.numpy(), GGMLQuantizationType[name])
    found = blocks.decode(data.flatten(), name, None)
    assert np.array_equal(found.numpy(), expected.ravel())


@pytest.mark.parametrize("name", ["Q8_0", "Q4_0", "BF16", "F16", "F32"])
def test_numbers_are_written_as_the_library_writes_them(name: str) -> None:
    x = torch.randn(40, 256, generator=torch.Generator().manual_seed(0))
    x[0] = 0.0
    x[1] = 3.0
    expected = quantize(x.numpy(), GGMLQuantizationType[name])
    assert np.array_equal(blocks.encode(x, name).numpy(), expected.ravel().view(np.uint8))


@pytest.mark.parametrize(("name", "most"), [("Q8_0", 0.0045), ("Q4_0", 0.13)])
def test_rounding_is_within_a_step(name: str, most: float) -> None:
    x = torch.rand(64, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    back = blocks.decode(blocks.encode(x, name), name, None).view_as(x)
    assert (back - x).abs().max() <= most


def test_long_tensors_go_in_pieces_and_into_the_dtype_asked_for() -> None:
    data = random_blocks("Q4_0", blocks.CHUNK + 3)
    found = blocks.decode(data.flatten(), "Q4_0", torch.bfloat16)
    assert found.dtype == torch.bfloat16
    last = blocks.decode(data[-3:].flatten(), "Q4_0", torch.bfloat16)
    assert torch.equal(found[-96:], last)
