from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mezzotint.errors import FileFormatError
from mezzotint.models.formats import Reading, open_weights

WEIGHT = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))


def opened(path: Path, state: dict[str, Tensor]) -> Reading:
    save_file(state, path)
    return Reading(open_weights(path).tensors)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_unscaled_floats_read_as_fp32(tmp_path: Path, dtype: torch.dtype) -> None:
    read = opened(tmp_path / "x.safetensors", {"a.weight": WEIGHT.to(dtype), "a.bias": torch.ones(8)})
    assert torch.equal(read["a.weight"], WEIGHT.to(dtype).float())
    assert read["a.bias"].dtype == torch.float32


@pytest.mark.parametrize("scale", ["weight_scale", "scale_weight"])
@pytest.mark.parametrize("shape", [(), (1,), (8, 1)])
def test_scaled_floats(tmp_path: Path, scale: str, shape: tuple[int, ...]) -> None:
    factor = torch.rand(shape, generator=torch.Generator().manual_seed(1)) + 0.5
    quantised = (WEIGHT / factor).to(torch.float8_e4m3fn)
    state = {
        "a.weight": quantised,
        f"a.{scale}": factor,
        "a.input_scale": torch.tensor(2.0),
        "a.comfy_quant": torch.zeros(4, dtype=torch.uint8),
        "scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn),
    }
    read = opened(tmp_path / "x.safetensors", state)
    assert list(read) == ["a.weight"]
    assert torch.equal(read["a.weight"], quantised.float() * factor)
    assert (read["a.weight"] - WEIGHT).abs().max() < 0.07 * WEIGHT.abs().max()


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"a.weight_scale": torch.ones(())}, "a.weight_scale is the scale of a weight that is not there"),
        ({"a.weight": torch.ones(2, 2), "a.weight_scale": torch.ones(())}, "a.weight is F32 with a scale"),
        (
            {"a.weight": WEIGHT.to(torch.float8_e4m3fn), "a.weight_scale": torch.ones(2, 4)},
            r"a.weight has a scale of shape \[2, 4\]",
        ),
    ],
)
def test_scales_that_do_not_fit(tmp_path: Path, state: dict[str, Tensor], reason: str) -> None:
    with pytest.raises(FileFormatError, match=reason):
        opened(tmp_path / "x.safetensors", state)
