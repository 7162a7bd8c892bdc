from dataclasses import replace
from typing import Any

import pytest
from diffusers import ZImageControlNetModel
from tests.models.adapters.control.oracle import RELEASES, control_config
from tests.models.single_stream.oracle import small_config

from mezzotint.errors import FileFormatError
from mezzotint.models.adapters.control import UNION_2_1, ControlConfig
from mezzotint.models.single_stream import Z_IMAGE_6B

NETWORK = small_config()


@pytest.mark.parametrize("release", RELEASES)
def test_diffusers_form_is_read_and_written(release: str) -> None:
    config = control_config(release, NETWORK)
    theirs = dict(ZImageControlNetModel.from_config(config.to_json()).config)
    assert ControlConfig.from_json(theirs | {"all_f_patch_size": [1]}, NETWORK) == config
    assert ControlConfig.from_json(config.to_json(), NETWORK) == config


@pytest.mark.parametrize(("count", "places"), [(6, (0, 5, 10, 15, 20, 25)), (3, (0, 10, 20)), (15, UNION_2_1.places)])
def test_places_that_nobody_gives_are_spread_evenly(count: int, places: tuple[int, ...]) -> None:
    values = UNION_2_1.to_json() | {"control_layers_places": None, "control_layers": count}
    assert ControlConfig.from_json(values, Z_IMAGE_6B) == replace(UNION_2_1, places=places)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dim": 128}, "for another network: dim is 128, the model's is 96"),
        ({"n_heads": 3}, "n_heads is 3, the model's is 2"),
        ({"control_layers_places": [0, 5]}, r"leads layers \[0, 5\]; the model has 2"),
        ({"control_in_dim": 3}, "has 3 channels; the model's latents have 4"),
        ({"control_in_dim": None}, "a value has the wrong form"),
        ({"add_control_noise_refiner": "other"}, "add_control_noise_refiner is 'other', which is no release's"),
        ({"qk_norm": False}, "qk_norm = False is not supported"),
        ({"_class_name": "FluxControlNetModel"}, "of a FluxControlNetModel, not of a ZImageControlNetModel"),
    ],
)
def test_the_impossible_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(FileFormatError, match=reason):
        ControlConfig.from_json(control_config("2.1", NETWORK).to_json() | changes, NETWORK)


def test_a_missing_value() -> None:
    values = control_config("2.1", NETWORK).to_json()
    with pytest.raises(FileFormatError, match="n_refiner_layers is missing"):
        ControlConfig.from_json({k: v for k, v in values.items() if k != "n_refiner_layers"}, NETWORK)
