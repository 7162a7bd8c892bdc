import pytest
import torch
from tests.generation.tiny_model import TRANSFORMER, randomise
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.models.quantization import FORMATS, QuantizedLinear, packed_weights, quantize_layers
from mezzotint.models.single_stream import SingleStreamTransformer

# Largest relative error of a normal matrix, and bits a number of a large one.
LIMITS = {
    "int8": (0.012, 8.1),
    "int8-dynamic": (0.012, 8.1),
    "fp8": (0.03, 8.1),
    "fp8-dynamic": (0.03, 8.1),
    "int4": (0.12, 4.5),
    "nf4": (0.11, 4.25),
    "svdquant": (0.11, 4.8),
}


def filled(name: str, weight: Tensor, bias: Tensor | None = None) -> QuantizedLinear:
    layer = FORMATS[name](weight.shape[1], weight.shape[0], bias is not None)
    layer.load_state_dict(layer.pack(weight) | ({} if bias is None else {"bias": bias}), assign=True)
    return layer.requires_grad_(False)


def error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected.double()).norm() / expected.double().norm())


@pytest.mark.parametrize("name", FORMATS)
class TestEveryFormat:
    @pytest.mark.parametrize("shape", [(96, 128), (40, 85), (7, 200)])
    def test_the_matrix_is_near(self, name: str, shape: tuple[int, int]) -> None:
        weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        layer = filled(name, weight)
        assert layer.weight.shape == weight.shape
        assert 1e-4 < error(layer.weight, weight) < LIMITS[name][0]

    def test_bits(self, name: str) -> None:
        layer = filled(name, torch.randn(2048, 2048, generator=torch.Generator().manual_seed(0)))
        assert 8 * sum(buffer.nbytes for buffer in layer.buffers()) / 2048**2 <= LIMITS[name][1]
        assert layer.bits <= LIMITS[name][1]

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
    def test_the_product_is_that_of_its_own_matrix(self, name: str, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(1)
        weight, bias = torch.randn(48, 85, generator=generator), torch.randn(48, generator=generator)
        layer = filled(name, weight, bias)
        layer.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
        x = torch.randn(2, 5, 85, generator=generator).to(dtype)
        expected = x.double() @ layer.weight.double().T + bias.double()
        found = layer(x)
        assert found.dtype == dtype
        assert found.shape == (2, 5, 48)
        rounding = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}[dtype]
        of_the_input = {"int8-dynamic": 0.012, "fp8-dynamic": 0.04}.get(name, 0.0)
        assert error(found, expected) < rounding + of_the_input

    def test_some_rows_at_a_time(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        generator = torch.Generator().manual_seed(2)
        weight, x = torch.randn(50, 64, generator=generator), torch.randn(3, 64, generator=generator)
        whole = filled(name, weight)
        expected = whole(x)
        monkeypatch.setattr("mezzotint.models.quantization.linear.UNPACKED", 64 * 16)
        assert len(list(whole.parts())) == 4
        torch.testing.assert_close(whole(x), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(filled(name, weight).weight, whole.weight, atol=1e-6, rtol=1e-5)

    def test_a_matrix_of_zeros(self, name: str) -> None:
        layer = filled(name, torch.zeros(16, 64))
        assert not layer(torch.ones(1, 64)).any()

    def test_large_numbers(self, name: str) -> None:
        """Beyond what fp16 holds: no scale may be one."""
        weight = 1e6 * torch.randn(32, 128, generator=torch.Generator().manual_seed(0))
        assert error(filled(name, weight).weight, weight) < LIMITS[name][0]


def test_a_low_rank_branch_keeps_what_four_bits_lose() -> None:
    generator = torch.Generator().manual_seed(3)
    thin = torch.randn(256, 8, generator=generator) @ torch.randn(8, 256, generator=generator)
    weight = thin + 0.05 * torch.randn(256, 256, generator=generator)
    weight[:, 5] *= 30  # an outlier
    plain, corrected = (error(filled(name, weight).weight, weight) for name in ("nf4", "svdquant"))
    assert corrected < plain / 4


class TestNetworks:
    def test_the_blocks_alone(self) -> None:
        network = SingleStreamTransformer(TRANSFORMER)
        quantize_layers(network, "int8")
        linear = {name for name, module in network.named_modules() if isinstance(module, nn.Linear)}
        assert "final_layer" in linear
        assert not any(name.startswith(("layers", "noise_refiner", "context_refiner")) for name in linear)
        assert any(isinstance(module, QuantizedLinear) for module in network.modules())

    def test_filled_one_matrix_after_another(self) -> None:
        source = SingleStreamTransformer(TRANSFORMER)
        randomise(source, torch.Generator().manual_seed(0))
        with torch.device("meta"):
            network = SingleStreamTransformer(TRANSFORMER)
        quantize_layers(network, "nf4")
        network.load_state_dict(dict(packed_weights(network, source.state_dict().items(), "cpu")), assign=True)
        assert not any(tensor.is_meta for tensor in network.state_dict().values())
        name = "layers.1.feed_forward.w13"
        expected = source.get_submodule(name).weight
        assert 0.01 < error(network.get_submodule(name).weight, expected.detach()) < 0.11  # type: ignore[arg-type]

    def test_an_unknown_format(self) -> None:
        with pytest.raises(InputError, match="no quantisation 'int3': there are int8, int8-dynamic"):
            quantize_layers(SingleStreamTransformer(TRANSFORMER), "int3")
