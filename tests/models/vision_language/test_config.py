import copy
import json
from typing import Any

import pytest
from tests.models.vision_language.small_tower import small_config, small_tokenizer
from transformers import Qwen2_5_VLConfig

from mezzotint.errors import FileFormatError
from mezzotint.models.vision_language import QWEN2_5_VL_7B, VisionLanguageConfig

# As Qwen/Qwen-Image publishes it (transformers 4): the language model's values at the top.
RELEASED = {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "hidden_act": "silu",
    "hidden_size": 3584,
    "image_token_id": 151655,
    "intermediate_size": 18944,
    "max_position_embeddings": 128000,
    "max_window_layers": 28,
    "model_type": "qwen2_5_vl",
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-06,
    "rope_scaling": {"mrope_section": [16, 24, 24], "rope_type": "default", "type": "default"},
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
    "vision_config": {
        "depth": 32,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "hidden_act": "silu",
        "hidden_size": 1280,
        "in_chans": 3,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 3584,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "spatial_patch_size": 14,
        "temporal_patch_size": 2,
        "tokens_per_second": 2,
        "window_size": 112,
    },
    "vocab_size": 152064,
}
SMALL = small_config(small_tokenizer())


@pytest.mark.parametrize("config", [QWEN2_5_VL_7B, SMALL], ids=["released", "small"])
def test_survives_json(config: VisionLanguageConfig) -> None:
    assert VisionLanguageConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_reads_what_is_released() -> None:
    assert VisionLanguageConfig.from_json(RELEASED) == QWEN2_5_VL_7B


def test_reads_what_transformers_writes() -> None:
    written = json.loads(Qwen2_5_VLConfig(**copy.deepcopy(RELEASED)).to_json_string(use_diff=False))
    assert VisionLanguageConfig.from_json(written) == QWEN2_5_VL_7B


def test_a_model_without_vision_is_one_too() -> None:
    config = VisionLanguageConfig.from_json(RELEASED | {"vision_config": None})
    assert config.vision is None
    assert VisionLanguageConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "qwen3_vl"}, "model_type is 'qwen3_vl', supported is 'qwen2_5_vl'"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"use_sliding_window": True}, "use_sliding_window is True"),
        ({"vision_config": {"in_chans": 4}}, "in_chans is 4"),
        ({"vision_config": [1]}, r"vision_config is \[1\], not an object"),
        ({"vision_config": {"depth": 2}}, "is missing"),
        ({"num_hidden_layers": "many"}, "wrong form"),
        ({"rope_theta": "much"}, "wrong form"),
        ({"rope_scaling": {"mrope_section": [16, 24]}}, "wrong form"),
        ({"rope_scaling": {"mrope_section": [16, 16, 24]}}, r"mrope_section \(16, 16, 24\) is not half of"),
        ({"rope_scaling": None}, "mrope_section is missing"),
    ],
)
def test_refuses_what_it_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        VisionLanguageConfig.from_json(RELEASED | change)


@pytest.mark.parametrize("key", ["vocab_size", "image_token_id", "rms_norm_eps"])
def test_names_the_missing_key(key: str) -> None:
    with pytest.raises(FileFormatError, match=f"{key} is missing"):
        VisionLanguageConfig.from_json({name: value for name, value in RELEASED.items() if name != key})
