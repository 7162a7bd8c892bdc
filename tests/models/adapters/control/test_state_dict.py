from dataclasses import replace

import pytest
import torch
from diffusers import ZImageControlNetModel
from tests.models.adapters.control.oracle import RELEASES, control_config, random_control
from tests.models.single_stream.oracle import small_config

from mezzotint.errors import FileFormatError
from mezzotint.models.adapters.control import (
    UNION_1,
    UNION_2_0,
    UNION_2_1,
    ControlConfig,
    ControlNet,
    published_shapes,
    stream_published,
    to_published,
    used,
)
from mezzotint.models.single_stream import Z_IMAGE_6B

NETWORK = replace(small_config(), n_layers=4)


@pytest.mark.parametrize("config", [UNION_1, UNION_2_0, UNION_2_1], ids=["1.0", "2.0", "2.1"])
def test_the_releases_have_their_published_tensors(config: ControlConfig) -> None:
    with torch.device("meta"):
        oracle = ZImageControlNetModel.from_config(config.to_json())
        control = ControlNet(config, Z_IMAGE_6B)
    shapes = {name: tuple(tensor.shape) for name, tensor in oracle.state_dict().items()}
    assert published_shapes(config, Z_IMAGE_6B) == shapes
    assert sum(p.numel() for p in control.parameters()) == sum(p.numel() for p in oracle.parameters())


@pytest.mark.parametrize("release", RELEASES)
def test_round_trip_is_exact(release: str) -> None:
    config = control_config(release, NETWORK)
    published = random_control(config).state_dict()
    ours = dict(stream_published(published, config, NETWORK))
    ControlNet(config, NETWORK).load_state_dict(ours)
    back = to_published(ours, config, NETWORK)
    assert back.keys() == published.keys()
    assert all(torch.equal(back[name], published[name]) for name in published)


def test_an_untrained_refiner_is_dropped_from_2_0_only() -> None:
    own, refiner = {"control_layers.0.x": 1}, {"control_noise_refiner.0.x": 2}
    assert used(own | refiner, control_config("2.0", NETWORK)) == own
    assert used(own | refiner, control_config("2.1", NETWORK)) == own | refiner


def test_other_weights_are_refused() -> None:
    config = control_config("2.1", NETWORK)
    published = random_control(config).state_dict()
    with pytest.raises(FileFormatError, match=r"control_layers.0.after_proj.bias, .* missing"):
        dict(stream_published({k: v for k, v in published.items() if "after_proj.bias" not in k}, config, NETWORK))
    with pytest.raises(FileFormatError, match=r"control_noise_refiner.0.* unknown"):
        dict(stream_published(published, replace(config, refiner="control_layers"), NETWORK))
