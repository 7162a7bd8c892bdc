from collections.abc import Callable

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from tests.models.dual_stream.oracle import random_oracle, small_config
from torch import Tensor

from mezzotint.errors import FileFormatError
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


def test_published_tensors_share_no_memory() -> None:
    published = to_published(DualStreamTransformer(small_config()).state_dict(), small_config())
    assert len({tensor.untyped_storage().data_ptr() for tensor in published.values()}) == len(published)


def test_every_published_matrix_is_found_in_ours() -> None:
    config = small_config()
    published = random_oracle(config).state_dict()
    ours, places = from_published(published, config), matrix_rows(config)
    assert places.keys() == {name for name, tensor in published.items() if tensor.ndim == 2}
    for name, (parameter, start, stop, order) in places.items():
        assert torch.equal(ours[parameter][start:stop], published[name][order]), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("txt_norm.weight"), "txt_norm.weight missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "extra unknown"),
        (lambda state: state.update({"img_in.bias": torch.zeros(47)}), r"img_in.bias \(47,\) for \(48,\)"),
        (lambda state: state.clear(), "and .* more missing"),
    ],
)
def test_refuses_other_weights_in_one_line(change: Callable[[dict[str, Tensor]], object], message: str) -> None:
    state = {name: torch.zeros(shape) for name, shape in published_shapes(small_config()).items()}
    change(state)
    with pytest.raises(FileFormatError, match=message) as caught:
        from_published(state, small_config())
    assert "\n" not in str(caught.value)
