"""The autoencoder's measures, in the form of diffusers' `vae/config.json`, and the released sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.published_config import reading

CLASS_NAME = "AutoencoderKL"
# What this project does not vary; a folder that says otherwise is another kind of autoencoder.
FIXED = {
    "in_channels": 3,
    "out_channels": 3,
    "act_fn": "silu",
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
# What diffusers takes a value for when a config.json leaves it out.
PUBLISHED_DEFAULTS = {"use_quant_conv": True, "use_post_quant_conv": True, "mid_block_add_attention": True}


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """The measures of one `AutoencoderKL`.

    Attributes:
        block_out_channels: Width at each resolution, the finest first; each further one halves the sides.
        layers_per_block: Residual blocks a resolution in the encoder; the decoder has one more.
        latent_channels: Channels of a latent.
        norm_num_groups: Groups of every GroupNorm.
        mid_block_add_attention: Whether the coarsest resolution attends over all positions.
        sample_size: Side of the pictures that it was trained for, in pixels; a record, nothing depends on it.
        scaling_factor, shift_factor: latents = (z − shift) · scaling have about zero mean and unit variance.
    """

    block_out_channels: tuple[int, ...]
    layers_per_block: int
    latent_channels: int
    norm_num_groups: int
    mid_block_add_attention: bool
    sample_size: int
    scaling_factor: float
    shift_factor: float

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AutoencoderConfig:
        """Read diffusers' form.

        Raises:
            FileFormatError: A value is missing or of the wrong form, or it is not an autoencoder of this kind.
        """
        values = PUBLISHED_DEFAULTS | dict(values)
        for name, expected in {"_class_name": CLASS_NAME, **FIXED}.items():
            if values.get(name, expected) != expected:
                raise FileFormatError(f"autoencoder config: {name} is {values[name]!r}, supported is {expected!r}")
        with reading("autoencoder config"):
            config = cls(
                block_out_channels=tuple(int(width) for width in values["block_out_channels"]),
                layers_per_block=int(values["layers_per_block"]),
                latent_channels=int(values["latent_channels"]),
                norm_num_groups=int(values["norm_num_groups"]),
                mid_block_add_attention=bool(values["mid_block_add_attention"]),
                sample_size=int(values["sample_size"]),
                scaling_factor=float(values["scaling_factor"]),
                shift_factor=float(values["shift_factor"] or 0.0),
            )
        if not (isfinite(config.shift_factor) and isfinite(config.scaling_factor) and config.scaling_factor > 0):
            raise FileFormatError(
                f"autoencoder config: scaling_factor is {config.scaling_factor} and shift_factor "
                f"{config.shift_factor}; both are finite, the first above 0"
            )
        return config

    def to_json(self) -> dict[str, Any]:
        """The same in diffusers' form."""
        levels = len(self.block_out_channels)
        return {
            "_class_name": CLASS_NAME,
            **FIXED,
            "down_block_types": ["DownEncoderBlock2D"] * levels,
            "up_block_types": ["UpDecoderBlock2D"] * levels,
            "block_out_channels": list(self.block_out_channels),
            "layers_per_block": self.layers_per_block,
            "latent_channels": self.latent_channels,
            "norm_num_groups": self.norm_num_groups,
            "mid_block_add_attention": self.mid_block_add_attention,
            "sample_size": self.sample_size,
            "scaling_factor": self.scaling_factor,
            "shift_factor": self.shift_factor,
            "force_upcast": False,
        }


FLUX = AutoencoderConfig(
    block_out_channels=(128, 256, 512, 512),
    layers_per_block=2,
    latent_channels=16,
    norm_num_groups=32,
    mid_block_add_attention=True,
    sample_size=1024,
    scaling_factor=0.3611,
    shift_factor=0.1159,
)
"""The published one that Z-Image uses: 83.8 M parameters."""

MINI = AutoencoderConfig(
    block_out_channels=(32, 64, 64, 128),
    layers_per_block=1,
    latent_channels=16,
    norm_num_groups=8,
    mid_block_add_attention=True,
    sample_size=128,
    scaling_factor=1.0,
    shift_factor=0.0,
)
"""The mini bundle's: 3.0 M parameters. The two factors are measured after training (`latent_scaling`)."""
