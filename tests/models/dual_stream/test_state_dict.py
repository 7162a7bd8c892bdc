import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from tests.models.dual_stream.oracle import random_oracle, small_config

from mezzotint.models.dual_stream import (
    QWEN_IMAGE,
    DualStreamConfig,
    DualStreamTransformer,
    from_published,
    matrix_rows,
    published_shapes,
    to_published,
)


def test_the_released_network_has_its_published_tensors() -> None:
    with torch.device("meta"):
        oracle = QwenImageTransformer2DModel.from_config(QWEN_IMAGE.to_json())
        model = DualStreamTransformer(QWEN_IMAGE)
    published = to_published(model.state_dict(), QWEN_IMAGE)
    shapes = {name: tuple(tensor.shape) for name, tensor in published.items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in oracle.state_dict().items()}
    assert shapes == published_shapes(QWEN_IMAGE)
    assert sum(parameter.numel() for parameter in model.parameters()) == 20_430_401_088


@pytest.mark.parametrize(
    "config",
    [small_config(), small_config(heads=3, axes=(8, 12, 12), zero_cond_t=True)],
    ids=lambda config: f"dim{config.dim}",
)
def test_round_trip_is_exact(config: DualStreamConfig) -> None:
    published = random_oracle(config).state_dict()
    ours = from_published(published, config)
    DualStreamTransformer(config).load_state_dict(ours)
    back = to_published(ours, config)
    assert back.keys() == published.keys()
    assert all(torch.equal(back[name], published[name]) for name in published)


def test_every_published_matrix_is_found_in_ours() -> None:
    config = small_config()
    published = random_oracle(config).state_dict()
    ours, places = from_published(published, config), matrix_rows(config)
    assert places.keys() == {name for name, tensor in published.items() if tensor.ndim == 2}
    for name, (parameter, start, stop, order) in places.items():
        assert torch.equal(ours[parameter][start:stop], published[name][order]), name
