from dataclasses import replace

import pytest
import torch
from diffusers import ZImageTransformer2DModel
from tests.models.single_stream.oracle import random_oracle, small_config

from mezzotint.models.single_stream import (
    MINI,
    Z_IMAGE_6B,
    OmniTransformer,
    SingleStreamConfig,
    SingleStreamTransformer,
    from_published,
    published_shapes,
    to_published,
)


def test_the_released_network_has_its_published_tensors() -> None:
    with torch.device("meta"):
        oracle = ZImageTransformer2DModel.from_config(Z_IMAGE_6B.to_json())
        model = SingleStreamTransformer(Z_IMAGE_6B)
    published = to_published(model.state_dict(), Z_IMAGE_6B)
    shapes = {name: tuple(tensor.shape) for name, tensor in published.items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in oracle.state_dict().items()}
    assert shapes == published_shapes(Z_IMAGE_6B)
    assert len(shapes) == 521
    assert sum(parameter.numel() for parameter in model.parameters()) == 6_154_908_736


def test_the_omni_variant_has_its_published_tensors() -> None:
    config = replace(Z_IMAGE_6B, siglip_feat_dim=1152)
    with torch.device("meta"):
        oracle = ZImageTransformer2DModel.from_config(config.to_json())
        model = OmniTransformer(config)
    published = to_published(model.state_dict(), config)
    shapes = {name: tuple(tensor.shape) for name, tensor in published.items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in oracle.state_dict().items()}
    assert shapes == published_shapes(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == 6_513_266_880


@pytest.mark.parametrize(
    "config",
    [small_config(), small_config(4, (16, 32, 32)), MINI, replace(small_config(), siglip_feat_dim=24)],
    ids=lambda c: f"dim{c.dim} siglip{c.siglip_feat_dim}",
)
def test_round_trip_is_exact(config: SingleStreamConfig) -> None:
    published = random_oracle(config).state_dict()
    ours = from_published(published, config)
    OmniTransformer(config).load_state_dict(ours)
    back = to_published(ours, config)
    assert back.keys() == published.keys()
    assert all(torch.equal(back[name], published[name]) for name in published)
