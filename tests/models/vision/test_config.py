import pytest
from transformers import Siglip2Config, Siglip2VisionConfig

from mezzotint.errors import FileFormatError
from mezzotint.models.vision import SIGLIP2_SO400M, VisionTowerConfig


def test_json_round_trip() -> None:
    assert VisionTowerConfig.from_json(SIGLIP2_SO400M.to_json()) == SIGLIP2_SO400M


def test_transformers_reads_and_writes_the_same() -> None:
    alone = Siglip2VisionConfig(**SIGLIP2_SO400M.to_json())
    assert VisionTowerConfig.from_json(alone.to_dict()) == SIGLIP2_SO400M
    both = Siglip2Config(vision_config=alone.to_dict())
    assert VisionTowerConfig.from_json(both.to_dict()) == SIGLIP2_SO400M


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "siglip_vision_model"}, "model_type is 'siglip_vision_model'"),
        ({"hidden_act": "relu"}, "hidden_act"),
        ({"vision_config": 3}, "vision_config is 3, not an object"),
        ({"hidden_size": "wide"}, "wrong form"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: dict[str, object], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        VisionTowerConfig.from_json(SIGLIP2_SO400M.to_json() | change)


def test_a_missing_value_is_named() -> None:
    values = SIGLIP2_SO400M.to_json()
    del values["num_patches"]
    with pytest.raises(FileFormatError, match="num_patches is missing"):
        VisionTowerConfig.from_json(values)
