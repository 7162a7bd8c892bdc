import pytest
import torch
from tests.generation.tiny_model import TRANSFORMER, randomise
from torch import Tensor

from mezzotint.models.quantization import packed_weights, quantize_layers
from mezzotint.models.single_stream import SingleStreamTransformer
from mezzotint.models.single_stream.half_range import hold_in_range, reach_of


def network(scale: float) -> SingleStreamTransformer:
    """With w1, w3 and w2 `scale` times as large as they should be; the norm behind them takes that out again."""
    made = SingleStreamTransformer(TRANSFORMER).requires_grad_(False)
    randomise(made, torch.Generator().manual_seed(0))
    for block in made.blocks:
        block.feed_forward.w13.weight.mul_(scale)
        block.feed_forward.w2.weight.mul_(scale)
    return made


def velocity(made: SingleStreamTransformer, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    features = [torch.randn(9, TRANSFORMER.cap_feat_dim, generator=generator).to(dtype)]
    captions = made.refine_captions(features)
    return made(torch.randn(1, 16, 12, 8, generator=generator), torch.tensor([0.4]), captions)


def error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("scale", [1.0, 64.0, 2000.0])
def test_overflowing_weights_stay_finite_and_right(scale: float) -> None:
    """The roundings of fp16 remain: those that weights in range have as well."""
    expected = velocity(network(scale), torch.float32)
    half = network(scale).half()
    plain = velocity(half, torch.float16)
    assert plain.isfinite().all() == (scale == 1.0)
    hold_in_range(half)
    found = velocity(half, torch.float16)
    assert found.isfinite().all()
    assert error(found, expected) < 0.01


def test_in_fp32_nothing_changes() -> None:
    """The scaling is exact: by powers of two, and the norm's epsilon with it."""
    made = network(2000.0)
    expected = velocity(made, torch.float32)
    hold_in_range(made)
    torch.testing.assert_close(velocity(made, torch.float32), expected, atol=1e-5, rtol=1e-5)


def test_quantised_layers_too() -> None:
    source = network(500.0)
    with torch.device("meta"):
        made = SingleStreamTransformer(TRANSFORMER)
    quantize_layers(made, "int8")
    made.load_state_dict(dict(packed_weights(made, source.half().state_dict().items(), "cpu")), assign=True)
    hold_in_range(made.requires_grad_(False))
    assert error(velocity(made, torch.float16), velocity(network(500.0), torch.float32)) < 0.05


def test_the_bound_holds_for_the_worst_input() -> None:
    """One that is parallel to a row of each."""
    w13, w2 = torch.zeros(8, 4), torch.full((4, 4), 3.0)
    w13[:4] = w13[4:] = 50.0 * torch.eye(4)
    reach = reach_of(w13, w2)
    x = reach * torch.eye(4)[0]
    h = 50.0 * x[0] * 50.0 * x[0]
    assert 0.15 * 65504 < max(float(h), float(3.0 * h)) < 65504
