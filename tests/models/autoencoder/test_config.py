import dataclasses

import diffusers
import pytest

from mezzotint.errors import FileFormatError
from mezzotint.models.autoencoder import FLUX, MINI, AutoencoderConfig


@pytest.mark.parametrize("config", [FLUX, MINI])
def test_json_round_trip(config: AutoencoderConfig) -> None:
    assert AutoencoderConfig.from_json(config.to_json()) == config


def test_diffusers_takes_every_key() -> None:
    config = diffusers.AutoencoderKL.from_config(MINI.to_json()).config
    assert {name: config[name] for name in MINI.to_json() if name != "_class_name"} == {
        name: value for name, value in MINI.to_json().items() if name != "_class_name"
    }


def test_a_missing_shift_is_zero() -> None:
    values = MINI.to_json() | {"shift_factor": None}
    assert AutoencoderConfig.from_json(values) == dataclasses.replace(MINI, shift_factor=0.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"use_quant_conv": True}, "use_quant_conv"),
        ({"_class_name": "AutoencoderDC"}, "AutoencoderDC"),
        ({"scaling_factor": "wide"}, "wrong form"),
        ({"scaling_factor": 0.0}, "scaling_factor is 0.0"),
        ({"shift_factor": float("inf")}, "shift_factor inf"),
        ({"block_out_channels": None}, "wrong form"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: dict[str, object], named: str) -> None:
    with pytest.raises(FileFormatError, match=named):
        AutoencoderConfig.from_json(MINI.to_json() | change)


@pytest.mark.parametrize("name", ["latent_channels", "use_quant_conv"])
def test_a_missing_value_is_named(name: str) -> None:
    values = MINI.to_json()
    del values[name]
    with pytest.raises(FileFormatError, match=name):
        AutoencoderConfig.from_json(values)
