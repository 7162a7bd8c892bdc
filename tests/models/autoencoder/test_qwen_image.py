import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLQwenImage
from tests.models.vision_language.small_tower import randomize

from mezzotint.errors import FileFormatError
from mezzotint.models.autoencoder import QWEN_IMAGE, QwenImageAutoencoder, QwenImageAutoencoderConfig

TINY = QwenImageAutoencoderConfig(
    base_dim=6,
    dim_mult=(1, 2, 3),
    z_dim=4,
    num_res_blocks=1,
    temperal_downsample=(False, True),
    latents_mean=(0.3, -0.2, 0.1, 0.0),
    latents_std=(0.7, 1.5, 2.0, 0.4),
)


@pytest.fixture(scope="module")
def autoencoder() -> QwenImageAutoencoder:
    autoencoder = QwenImageAutoencoder(TINY).eval()
    randomize(autoencoder, torch.Generator().manual_seed(0))
    return autoencoder


@pytest.fixture(scope="module")
def oracle(autoencoder: QwenImageAutoencoder) -> AutoencoderKLQwenImage:
    oracle = AutoencoderKLQwenImage.from_config(TINY.to_json())
    oracle.load_state_dict(autoencoder.state_dict())
    return oracle.eval()


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return 2 * torch.rand(3, 3, 24, 32, generator=torch.Generator().manual_seed(1)) - 1


@torch.no_grad()
def test_is_diffusers_forward(
    autoencoder: QwenImageAutoencoder, oracle: AutoencoderKLQwenImage, pictures: torch.Tensor
) -> None:
    mean, std = (torch.tensor(values)[:, None, None, None] for values in (TINY.latents_mean, TINY.latents_std))
    expected = (oracle.encode(pictures[:, :, None]).latent_dist.mode() - mean) / std
    latents = autoencoder.encode(pictures)
    assert 0.1 < expected.std() < 10
    torch.testing.assert_close(latents, expected[:, :, 0], atol=1e-5, rtol=0)
    decoded = oracle.decode(expected * std + mean).sample[:, :, 0]
    assert 0.1 < decoded.std() < 1
    torch.testing.assert_close(autoencoder.decode(latents).clamp(-1, 1), decoded, atol=1e-5, rtol=0)


def test_the_released_size_has_diffusers_weights() -> None:
    with torch.device("meta"):
        autoencoder = QwenImageAutoencoder(QWEN_IMAGE)
        oracle = AutoencoderKLQwenImage.from_config(QWEN_IMAGE.to_json())
    shapes = {name: tuple(tensor.shape) for name, tensor in autoencoder.state_dict().items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in oracle.state_dict().items()}
    assert sum(parameter.numel() for parameter in autoencoder.parameters()) == 126_892_531
    assert (autoencoder.downscale, autoencoder.channels) == (8, 16)


@torch.no_grad()
def test_a_latent_has_the_promised_form(pictures: torch.Tensor) -> None:
    autoencoder = QwenImageAutoencoder(TINY).to(torch.bfloat16)
    latents = autoencoder.encode(pictures)
    assert latents.shape == (3, 4, 24 // autoencoder.downscale, 32 // autoencoder.downscale)
    assert latents.dtype == autoencoder.decode(latents).dtype == torch.float32


@pytest.mark.parametrize("config", [TINY, QWEN_IMAGE], ids=["tiny", "released"])
def test_survives_json(config: QwenImageAutoencoderConfig) -> None:
    assert QwenImageAutoencoderConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_reads_what_diffusers_writes() -> None:
    written = json.loads(AutoencoderKLQwenImage.from_config(TINY.to_json()).to_json_string())
    assert QwenImageAutoencoderConfig.from_json(written) == TINY
    assert QwenImageAutoencoderConfig.from_json(json.loads(AutoencoderKLQwenImage().to_json_string())) == QWEN_IMAGE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_class_name": "AutoencoderKLWan"}, "_class_name is 'AutoencoderKLWan'"),
        ({"input_channels": 4}, "input_channels is 4"),
        ({"attn_scales": [1.0]}, "attn_scales is"),
        ({"dim_mult": [1, 2]}, "2 values of temperal_downsample do not stand between 2 of dim_mult"),
        ({"latents_mean": [0.0]}, "must have 4 values"),
        ({"latents_std": [1.0, 0.0, 1.0, 1.0]}, "none of the latter 0"),
        ({"z_dim": "many"}, "wrong form"),
    ],
)
def test_refuses_what_it_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        QwenImageAutoencoderConfig.from_json(TINY.to_json() | change)


def test_names_the_missing_key() -> None:
    values = {name: value for name, value in TINY.to_json().items() if name != "base_dim"}
    with pytest.raises(FileFormatError, match="base_dim is missing"):
        QwenImageAutoencoderConfig.from_json(values)


def test_scaling_is_each_channels_own(autoencoder: QwenImageAutoencoder, pictures: torch.Tensor) -> None:
    unscaled = QwenImageAutoencoder(replace(TINY, latents_mean=(0.0,) * 4, latents_std=(1.0,) * 4))
    unscaled.load_state_dict(autoencoder.state_dict())
    z, latents = unscaled.encode(pictures)[:, 1], autoencoder.encode(pictures)[:, 1]
    torch.testing.assert_close(latents * TINY.latents_std[1] + TINY.latents_mean[1], z)
