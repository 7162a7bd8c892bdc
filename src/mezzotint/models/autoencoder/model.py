"""The autoencoder of latent diffusion (Rombach et al. 2022), in the published `AutoencoderKL` layout.

The two halves are diffusers' own modules, so a state dict has the published keys. Without the 1x1 "quant" convolutions,
as in the FLUX autoencoder, nothing stands between them but the scaling of the latents.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.models.autoencoders.vae import Decoder, Encoder
from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.models.autoencoder.config import AutoencoderConfig

LOG_VARIANCE_RANGE = (-30.0, 20.0)  # as in diffusers


@dataclass(frozen=True)
class Posterior:
    """A picture's diagonal Gaussian over unscaled latents z, in fp32."""

    mean: Float[Tensor, "b c h w"]
    log_variance: Float[Tensor, "b c h w"]

    def sample(self, noise: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def kl(self) -> Float[Tensor, ""]:
        """KL(posterior ‖ standard normal) in nats, the mean over all latent values (Kingma & Welling 2014, app. B)."""
        return 0.5 * (self.mean**2 + self.log_variance.exp() - 1.0 - self.log_variance).mean()


class Autoencoder(nn.Module):
    """Pictures in [−1, 1] to scaled latents and back.

    The scaled latents, (z − shift) · scaling, are what a diffusion model works on; they and the pictures that come out
    are fp32, whatever dtype the weights are in.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        levels = len(config.block_out_channels)
        measures = {
            "block_out_channels": config.block_out_channels,
            "layers_per_block": config.layers_per_block,
            "norm_num_groups": config.norm_num_groups,
            "mid_block_add_attention": config.mid_block_add_attention,
        }
        self.encoder = Encoder(
            in_channels=3,
            out_channels=config.latent_channels,
            down_block_types=("DownEncoderBlock2D",) * levels,
            double_z=True,
            **measures,
        )
        self.decoder = Decoder(
            in_channels=config.latent_channels,
            out_channels=3,
            up_block_types=("UpDecoderBlock2D",) * levels,
            **measures,
        )

    @property
    def downscale(self) -> int:
        """A picture's side over its latent's."""
        return int(2 ** (len(self.config.block_out_channels) - 1))

    @property
    def channels(self) -> int:
        """Channels of a latent."""
        return self.config.latent_channels

    @property
    def dtype(self) -> torch.dtype:
        return self.encoder.conv_in.weight.dtype

    def moments(self, pictures: Float[Tensor, "b 3 height width"]) -> Posterior:
        """The posterior over unscaled latents; the sides must be multiples of `downscale`."""
        mean, log_variance = self.encoder(pictures.to(self.dtype)).float().chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(*LOG_VARIANCE_RANGE))

    def encode(self, pictures: Float[Tensor, "b 3 height width"]) -> Float[Tensor, "b c h w"]:
        """Scaled latents: the posterior's mean, so without randomness."""
        return self.scale(self.moments(pictures).mean)

    def decode(self, latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 height width"]:
        """Pictures, not clamped: values a little outside [−1, 1] occur."""
        return self.decoder(self.unscale(latents).to(self.dtype)).float()

    def scale(self, z: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return (z - self.config.shift_factor) * self.config.scaling_factor

    def unscale(self, latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return latents / self.config.scaling_factor + self.config.shift_factor
