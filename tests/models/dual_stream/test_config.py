import json
from dataclasses import replace

import pytest
from diffusers import QwenImageTransformer2DModel
from tests.models.dual_stream.oracle import small_config

from mezzotint.errors import FileFormatError
from mezzotint.models.dual_stream import QWEN_IMAGE, DualStreamConfig

# As Qwen/Qwen-Image publishes it: written before there was a zero_cond_t, with a key that nothing reads.
RELEASED = {
    "_class_name": "QwenImageTransformer2DModel",
    "_diffusers_version": "0.34.0.dev0",
    "attention_head_dim": 128,
    "axes_dims_rope": [16, 56, 56],
    "guidance_embeds": False,
    "in_channels": 64,
    "joint_attention_dim": 3584,
    "num_attention_heads": 24,
    "num_layers": 60,
    "out_channels": 16,
    "patch_size": 2,
    "pooled_projection_dim": 768,
}


@pytest.mark.parametrize("config", [QWEN_IMAGE, small_config(), small_config(zero_cond_t=True)])
def test_survives_json(config: DualStreamConfig) -> None:
    assert DualStreamConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_reads_what_is_released() -> None:
    assert DualStreamConfig.from_json(RELEASED) == QWEN_IMAGE
    assert DualStreamConfig.from_json(RELEASED | {"zero_cond_t": True}) == replace(QWEN_IMAGE, zero_cond_t=True)
    assert (QWEN_IMAGE.dim, QWEN_IMAGE.hidden_dim, QWEN_IMAGE.patch_dim) == (3072, 12288, 64)


def test_reads_what_diffusers_writes_and_the_other_way() -> None:
    config = small_config(zero_cond_t=True)
    written = json.loads(QwenImageTransformer2DModel.from_config(config.to_json()).to_json_string())
    assert DualStreamConfig.from_json(written) == config
    assert {key: value for key, value in written.items() if not key.startswith("_diffusers")} == config.to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_class_name": "FluxTransformer2DModel"}, "FluxTransformer2DModel"),
        ({"guidance_embeds": True}, "guidance_embeds"),
        ({"use_additional_t_cond": True}, "use_additional_t_cond"),
        ({"use_layer3d_rope": True}, "use_layer3d_rope"),
        ({"out_channels": None}, "wrong form"),
        ({"num_layers": "many"}, "wrong form"),
        ({"axes_dims_rope": [4, 20]}, "wrong form"),
        ({"attention_head_dim": 26}, "sum of axes_dims"),
        ({"axes_dims_rope": [5, 9, 10]}, "even"),
        ({"in_channels": 17}, "in_channels 17 is not patch_size² · out_channels, 16"),
    ],
)
def test_refuses_what_it_cannot_be(change: dict[str, object], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        DualStreamConfig.from_json(small_config().to_json() | change)


@pytest.mark.parametrize("key", ["num_layers", "in_channels", "axes_dims_rope"])
def test_names_the_missing_key(key: str) -> None:
    values = small_config().to_json()
    del values[key]
    with pytest.raises(FileFormatError, match=f"{key} is missing"):
        DualStreamConfig.from_json(values)
