"""Qwen-Image's autoencoder: a video autoencoder, causal in time, of which a picture is the first frame.

The parts are diffusers' own modules, so a state dict has the published keys of `AutoencoderKLQwenImage`. Before the
first frame there is nothing, so a picture needs neither the cache of earlier frames nor the convolutions over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_qwenimage import (
    QwenImageCausalConv3d,
    QwenImageDecoder3d,
    QwenImageEncoder3d,
)
from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.errors import FileFormatError
from mezzotint.models.dialects.qwen_image_autoencoder import LATENTS_MEAN, LATENTS_STD
from mezzotint.models.published_config import reading

CLASS_NAME = "AutoencoderKLQwenImage"
# What this project does not vary; a folder that says otherwise is another kind of autoencoder.
FIXED = {"attn_scales": [], "dropout": 0.0, "input_channels": 3}


@dataclass(frozen=True, kw_only=True)
class QwenImageAutoencoderConfig:
    """The measures of one `AutoencoderKLQwenImage`, by their published names.

    Attributes:
        base_dim: Width at the finest resolution. dim_mult: How many times that at each, the finest first.
        z_dim: Channels of a latent.
        num_res_blocks: Residual blocks a resolution in the encoder; the decoder has one more.
        temperal_downsample: Where the encoder halves the frames of a video as well; without effect on a picture.
        latents_mean, latents_std: Of each channel; latents = (z − mean) / std have about zero mean and unit variance.
    """

    base_dim: int
    dim_mult: tuple[int, ...]
    z_dim: int
    num_res_blocks: int
    temperal_downsample: tuple[bool, ...]
    latents_mean: tuple[float, ...]
    latents_std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.temperal_downsample) != len(self.dim_mult) - 1:
            raise FileFormatError(
                f"autoencoder config: {len(self.temperal_downsample)} values of temperal_downsample do not stand "
                f"between {len(self.dim_mult)} of dim_mult"
            )
        if not len(self.latents_mean) == len(self.latents_std) == self.z_dim or 0.0 in self.latents_std:
            raise FileFormatError(
                f"autoencoder config: latents_mean and latents_std must have {self.z_dim} values, none of the latter 0"
            )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> QwenImageAutoencoderConfig:
        """Read diffusers' form.

        Raises:
            FileFormatError: A value is missing or of the wrong form, or it is not an autoencoder of this kind.
        """
        for name, expected in {"_class_name": CLASS_NAME, **FIXED}.items():
            if values.get(name, expected) != expected:
                raise FileFormatError(f"autoencoder config: {name} is {values[name]!r}, supported is {expected!r}")
        with reading("autoencoder config"):
            return cls(
                base_dim=int(values["base_dim"]),
                dim_mult=tuple(int(factor) for factor in values["dim_mult"]),
                z_dim=int(values["z_dim"]),
                num_res_blocks=int(values["num_res_blocks"]),
                temperal_downsample=tuple(bool(value) for value in values["temperal_downsample"]),
                latents_mean=tuple(float(value) for value in values["latents_mean"]),
                latents_std=tuple(float(value) for value in values["latents_std"]),
            )

    def to_json(self) -> dict[str, Any]:
        """The same in diffusers' form."""
        return {
            "_class_name": CLASS_NAME,
            **FIXED,
            "base_dim": self.base_dim,
            "dim_mult": list(self.dim_mult),
            "z_dim": self.z_dim,
            "num_res_blocks": self.num_res_blocks,
            "temperal_downsample": list(self.temperal_downsample),
            "latents_mean": list(self.latents_mean),
            "latents_std": list(self.latents_std),
        }


QWEN_IMAGE = QwenImageAutoencoderConfig(
    base_dim=96,
    dim_mult=(1, 2, 4, 4),
    z_dim=16,
    num_res_blocks=2,
    temperal_downsample=(False, True, True),
    latents_mean=LATENTS_MEAN,
    latents_std=LATENTS_STD,
)
"""The published one, of Qwen-Image, Edit and Edit-Plus alike: 126.9 M parameters, those for video included."""


class QwenImageAutoencoder(nn.Module):
    """Pictures in [−1, 1] to scaled latents and back.

    The scaled latents, (z − mean) / std, are what a diffusion model works on; they and the pictures that come out are
    fp32, whatever dtype the weights are in.
    """

    def __init__(self, config: QwenImageAutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        measures = {
            "dim_mult": list(config.dim_mult),
            "num_res_blocks": config.num_res_blocks,
            "attn_scales": [],
            "input_channels": 3,
        }
        self.encoder = QwenImageEncoder3d(
            config.base_dim, 2 * config.z_dim, temperal_downsample=list(config.temperal_downsample), **measures
        )
        self.quant_conv = QwenImageCausalConv3d(2 * config.z_dim, 2 * config.z_dim, 1)
        self.post_quant_conv = QwenImageCausalConv3d(config.z_dim, config.z_dim, 1)
        self.decoder = QwenImageDecoder3d(
            config.base_dim, config.z_dim, temperal_upsample=list(config.temperal_downsample[::-1]), **measures
        )

    @property
    def downscale(self) -> int:
        """A picture's side over its latent's."""
        return int(2 ** (len(self.config.dim_mult) - 1))

    @property
    def channels(self) -> int:
        """Channels of a latent."""
        return self.config.z_dim

    @property
    def dtype(self) -> torch.dtype:
        return self.quant_conv.weight.dtype

    def encode(self, pictures: Float[Tensor, "b 3 height width"]) -> Float[Tensor, "b c h w"]:
        """Scaled latents: the posterior's mean, so without randomness. The sides must be multiples of `downscale`."""
        moments = self.quant_conv(self.encoder(pictures[:, :, None].to(self.dtype)))
        z, _ = moments[:, :, 0].float().chunk(2, dim=1)
        mean, std = self._scaling(z)
        return (z - mean) / std

    def decode(self, latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 height width"]:
        """Pictures, not clamped: values a little outside [−1, 1] occur."""
        mean, std = self._scaling(latents)
        z = (latents * std + mean)[:, :, None].to(self.dtype)
        return self.decoder(self.post_quant_conv(z))[:, :, 0].float()

    def _scaling(self, like: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "c 1 1"], Float[Tensor, "c 1 1"]]:
        """The mean and standard deviation of each channel."""
        mean, std = torch.tensor([self.config.latents_mean, self.config.latents_std], device=like.device)
        return mean[:, None, None], std[:, None, None]
