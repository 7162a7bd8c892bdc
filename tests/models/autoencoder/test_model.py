import diffusers
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from mezzotint.models.autoencoder import FLUX, MINI, Autoencoder, AutoencoderConfig, Posterior


@pytest.fixture
def oracle(autoencoder: Autoencoder) -> diffusers.AutoencoderKL:
    oracle = diffusers.AutoencoderKL.from_config(autoencoder.config.to_json())
    oracle.load_state_dict(autoencoder.state_dict())
    return oracle.eval()


@torch.no_grad()
def test_is_diffusers_forward(
    autoencoder: Autoencoder, oracle: diffusers.AutoencoderKL, pictures: torch.Tensor
) -> None:
    posterior = oracle.encode(pictures).latent_dist
    ours = autoencoder.moments(pictures)
    torch.testing.assert_close(ours.mean, posterior.mean, rtol=0, atol=0)
    torch.testing.assert_close(ours.log_variance, posterior.logvar, rtol=0, atol=0)

    latents = autoencoder.encode(pictures)  # scaled and unscaled as diffusers.ZImagePipeline does it
    torch.testing.assert_close(latents, (posterior.mean - 0.3) * 0.7)
    torch.testing.assert_close(autoencoder.decode(latents), oracle.decode(latents / 0.7 + 0.3).sample)


@pytest.mark.parametrize(("config", "parameters"), [(FLUX, 83_819_683), (MINI, 3_039_683)])
def test_released_sizes_have_diffusers_weights(config: AutoencoderConfig, parameters: int) -> None:
    with torch.device("meta"):
        autoencoder = Autoencoder(config)
        oracle = diffusers.AutoencoderKL.from_config(config.to_json())
    shapes = {name: tuple(tensor.shape) for name, tensor in autoencoder.state_dict().items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in oracle.state_dict().items()}
    assert sum(parameter.numel() for parameter in autoencoder.parameters()) == parameters
    assert (autoencoder.downscale, autoencoder.channels) == (8, 16)


@torch.no_grad()
def test_a_latent_has_the_promised_form(autoencoder: Autoencoder, pictures: torch.Tensor) -> None:
    latents = autoencoder.to(torch.bfloat16).encode(pictures)
    assert latents.shape == (3, 4, 24 // autoencoder.downscale, 32 // autoencoder.downscale)
    assert latents.dtype == autoencoder.decode(latents).dtype == torch.float32


def test_kl_is_the_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 2, 3, 4, 4, generator=generator)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(Posterior(mean, log_variance).kl(), expected)


def test_a_sample_has_the_posteriors_moments() -> None:
    posterior = Posterior(torch.full((1, 1, 400, 400), 2.0), torch.full((1, 1, 400, 400), -1.0))
    sample = posterior.sample(torch.randn(1, 1, 400, 400, generator=torch.Generator().manual_seed(0)))
    assert sample.mean().item() == pytest.approx(2.0, abs=0.01)
    assert sample.var().log().item() == pytest.approx(-1.0, abs=0.02)
