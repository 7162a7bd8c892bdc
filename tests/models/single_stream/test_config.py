import json
from dataclasses import replace

import pytest
from diffusers import ZImageTransformer2DModel
from tests.models.single_stream.oracle import small_config

from mezzotint.errors import FileFormatError
from mezzotint.models.single_stream.config import MINI, Z_IMAGE_6B, SingleStreamConfig


@pytest.mark.parametrize("config", [MINI, Z_IMAGE_6B, small_config()])
def test_survives_json(config: SingleStreamConfig) -> None:
    assert SingleStreamConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_reads_what_diffusers_writes_and_the_other_way() -> None:
    config = small_config()
    oracle = ZImageTransformer2DModel.from_config(config.to_json())
    written = json.loads(oracle.to_json_string())
    assert SingleStreamConfig.from_json(written) == config
    assert {key: value for key, value in written.items() if not key.startswith("_diffusers")} == config.to_json()


def test_mini_is_as_wide_as_its_heads() -> None:
    assert (MINI.head_dim, MINI.hidden_dim, MINI.time_dim, MINI.patch_dim) == (64, 853, 256, 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_class_name": "FluxTransformer2DModel"}, "FluxTransformer2DModel"),
        ({"qk_norm": False}, "qk_norm"),
        ({"all_f_patch_size": [2]}, "all_f_patch_size"),
        ({"n_kv_heads": 1}, "n_kv_heads"),
        ({"all_patch_size": [2, 4]}, "wrong form"),
        ({"dim": "wide"}, "wrong form"),
        ({"axes_dims": [8, 20]}, "wrong form"),
        ({"dim": 97}, "sum of axes_dims"),
        ({"axes_dims": [9, 19, 20]}, "even"),
    ],
)
def test_refuses_what_it_cannot_be(change: dict[str, object], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        SingleStreamConfig.from_json(small_config().to_json() | change)


def test_names_the_missing_key() -> None:
    values = small_config().to_json()
    del values["t_scale"]
    with pytest.raises(FileFormatError, match="t_scale is missing"):
        SingleStreamConfig.from_json(values)


def test_sizes_are_checked_when_written_in_code_too() -> None:
    with pytest.raises(FileFormatError, match="n_heads"):
        replace(MINI, n_heads=4)
