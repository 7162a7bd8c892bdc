import copy

import torch
from einops import rearrange

from mezzotint.models.autoencoder import Autoencoder, measure_latents, measure_scaling, normalize_latents
from mezzotint.models.autoencoder.latent_scaling import equalize_channels


@torch.no_grad()
def test_statistics_are_those_of_all_latents_at_once(autoencoder: Autoencoder, pictures: torch.Tensor) -> None:
    statistics = measure_latents(autoencoder, [pictures[:1], pictures[1:]])
    z = rearrange(autoencoder.moments(pictures).mean, "b c h w -> c (b h w)").double()
    torch.testing.assert_close(statistics.mean, z.mean(1))
    torch.testing.assert_close(statistics.std, z.std(1, correction=0))


@torch.no_grad()
def test_measured_scaling_is_the_closed_form(autoencoder: Autoencoder, pictures: torch.Tensor) -> None:
    scaling, shift = measure_scaling(autoencoder, pictures.split(2))
    z = autoencoder.moments(pictures).mean.double()
    torch.testing.assert_close(shift, z.mean().item())
    torch.testing.assert_close(scaling, 1 / z.std(correction=0).item())


@torch.no_grad()
def test_equalizing_changes_no_picture(autoencoder: Autoencoder, pictures: torch.Tensor) -> None:
    before = copy.deepcopy(autoencoder)
    std = torch.tensor([0.5, 2.0, 3.0, 0.1])
    equalize_channels(autoencoder, std)

    z, z_before = autoencoder.moments(pictures), before.moments(pictures)
    torch.testing.assert_close(z.mean, z_before.mean / std[:, None, None])
    torch.testing.assert_close(z.log_variance.exp(), z_before.log_variance.exp() / std[:, None, None] ** 2)
    decoded = autoencoder.decode(autoencoder.scale(z.mean))
    torch.testing.assert_close(decoded, before.decode(before.scale(z_before.mean)), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_normalized_latents_have_unit_variance(autoencoder: Autoencoder, pictures: torch.Tensor) -> None:
    before = autoencoder.decode(autoencoder.encode(pictures))
    normalize_latents(autoencoder, pictures.split(2))
    latents = rearrange(autoencoder.encode(pictures), "b c h w -> c (b h w)")
    assert latents.mean().abs() < 1e-5
    torch.testing.assert_close(latents.std(correction=0), torch.tensor(1.0))
    in_each_channel = latents.std(1)
    torch.testing.assert_close(in_each_channel, in_each_channel.mean().expand(4), rtol=1e-4, atol=0)
    torch.testing.assert_close(autoencoder.decode(autoencoder.encode(pictures)), before, rtol=1e-4, atol=1e-5)
