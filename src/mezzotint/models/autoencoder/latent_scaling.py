"""Latents of about unit variance in every channel, as diffusion wants them, measured on pictures after training."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from mezzotint.models.autoencoder.model import Autoencoder


@dataclass(frozen=True)
class LatentStatistics:
    """Of unscaled posterior means, in fp64: each channel's mean and standard deviation over pictures and positions."""

    mean: Float[Tensor, "c"]
    std: Float[Tensor, "c"]


@torch.no_grad()
def measure_latents(
    autoencoder: Autoencoder, pictures: Iterable[Float[Tensor, "b 3 height width"]]
) -> LatentStatistics:
    """Encode batches of pictures and take each channel's moments."""
    count, total, squares = 0, torch.zeros(autoencoder.channels).double(), torch.zeros(autoencoder.channels).double()
    for batch in pictures:
        z = rearrange(autoencoder.moments(batch).mean, "b c h w -> (b h w) c").double().cpu()
        count += len(z)
        total += z.sum(0)
        squares += (z**2).sum(0)
    mean = total / count
    return LatentStatistics(mean, (squares / count - mean**2).clamp_min(0).sqrt())


def measure_scaling(
    autoencoder: Autoencoder, pictures: Iterable[Float[Tensor, "b 3 height width"]]
) -> tuple[float, float]:
    """(scaling_factor, shift_factor): with them the latents, all channels together, have mean 0 and variance 1."""
    statistics = measure_latents(autoencoder, pictures)
    shift = statistics.mean.mean()
    variance = (statistics.std**2 + (statistics.mean - shift) ** 2).mean()
    return float(variance.rsqrt()), float(shift)


@torch.no_grad()
def equalize_channels(autoencoder: Autoencoder, std: Float[Tensor, "c"]) -> None:
    """Divide each latent channel by its `std` and multiply it back in the decoder's first layer.

    Pictures stay the same. The published layout has one scaling factor for all channels, so what differs between
    them goes into the weights.
    """
    last, first, channels = autoencoder.encoder.conv_out, autoencoder.decoder.conv_in, autoencoder.channels
    std = std.to(last.weight)
    last.weight[:channels] /= std[:, None, None, None]
    last.bias[:channels] /= std
    last.bias[channels:] -= 2.0 * std.log()  # the log-variances
    first.weight *= std[None, :, None, None]


def normalize_latents(autoencoder: Autoencoder, pictures: Iterable[Float[Tensor, "b 3 height width"]]) -> None:
    """The end of a training: equal channels in the weights, the two common factors in `autoencoder.config`."""
    batches = list(pictures)
    equalize_channels(autoencoder, measure_latents(autoencoder, batches).std)
    scaling, shift = measure_scaling(autoencoder, batches)
    autoencoder.config = replace(autoencoder.config, scaling_factor=scaling, shift_factor=shift)
