import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mezzotint.perception.efficientnet import FEATURES, LITE0, WEIGHTS, EfficientNetLite, _SameConv, load_efficientnet
from mezzotint.runtime.packages import cached_at


def test_the_size_is_the_published_one():
    """4.652 M parameters: the table in the EfficientNet-Lite repository rounds them to 4.7 M."""
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in EfficientNetLite(LITE0).parameters()) == 4_652_008


@pytest.mark.parametrize(("side", "stride", "before", "after"), [(8, 2, 0, 1), (7, 2, 1, 1), (8, 1, 1, 1)])
def test_padding_is_tensorflows(side: int, stride: int, before: int, after: int):
    """An even side at stride 2 is padded at its end only."""
    convolution = _SameConv(2, 3, 3, stride=stride)
    x = torch.randn(1, 2, side, side, generator=torch.Generator().manual_seed(0))
    expected = F.conv2d(F.pad(x, (before, after, before, after)), convolution.weight, stride=stride)
    torch.testing.assert_close(convolution(x), expected)


def test_grey_level_127_is_zero_inside():
    """The network sees (g − 127) / 128."""
    network, seen = EfficientNetLite(LITE0), []
    network._conv_stem.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network(torch.tensor([127.0, 255.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 32, 32) / 127.5 - 1)
    torch.testing.assert_close(seen[0][0, :, 0, 0], torch.tensor([0.0, 1.0, -127 / 128]), rtol=0, atol=1e-6)


@pytest.mark.skipif(not cached_at(WEIGHTS).is_dir(), reason="the weights are not cached; `evaluate` fetches them")
def test_features_are_those_of_the_package_that_ships_the_weights():
    """Parity with `efficientnet-lite-pytorch` 0.1.0, whose `extract_features` gave these numbers."""
    network = load_efficientnet()
    assert not any(isinstance(module, nn.Dropout) for module in network.modules())
    y, x = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    picture = torch.stack([x, y, 223 - x]) / 223 * 2 - 1
    features = network(picture[None])[0]
    assert features.shape == (FEATURES,)
    assert (features >= 0).all()
    assert features[:4].tolist() == pytest.approx([0.0, 0.0, 0.627476, 0.0], abs=1e-4)
    assert features.mean().item() == pytest.approx(0.0970386, abs=1e-5)
