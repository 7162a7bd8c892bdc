"""The sizes of an S3-DiT, the released ones written out, and their public form (diffusers' `config.json`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.published_config import reading

CLASS_NAME = "ZImageTransformer2DModel"
# What the public form can say and no published model does otherwise: one patch size, one frame, as many key heads as
# query heads, normalised queries and keys.
PUBLISHED_ONLY_AS = {"all_f_patch_size": [1], "qk_norm": True}


@dataclass(frozen=True, kw_only=True)
class SingleStreamConfig:
    """Sizes of one network.

    Attributes:
        patch_size: Side of a patch in latent pixels. in_channels: Channels of the latents.
        dim: Width of a token. n_layers: Blocks over the joint sequence. n_refiner_layers: Blocks over the picture
            alone, and as many over the caption alone, before they meet.
        n_heads: Attention heads; dim / n_heads must equal sum(axes_dims).
        norm_eps: Added to the mean square in a block's RMSNorms.
        cap_feat_dim: Width of the text tower's features.
        rope_theta: Base of the rotary frequencies. t_scale: The time embedding sees t · t_scale.
        axes_dims: Channels of a head that turn with (order, row, column). axes_lens: Positions on each axis.
        siglip_feat_dim: Width of a vision tower's features for editing; None without one.
    """

    patch_size: int
    in_channels: int
    dim: int
    n_layers: int
    n_refiner_layers: int
    n_heads: int
    norm_eps: float
    cap_feat_dim: int
    rope_theta: float
    t_scale: float
    axes_dims: tuple[int, int, int]
    axes_lens: tuple[int, int, int]
    siglip_feat_dim: int | None

    def __post_init__(self) -> None:
        if self.dim != self.n_heads * sum(self.axes_dims):
            raise FileFormatError(
                f"dim {self.dim} is not n_heads {self.n_heads} × {sum(self.axes_dims)}, the sum of axes_dims"
            )
        if any(channels % 2 for channels in self.axes_dims):
            raise FileFormatError(f"axes_dims {self.axes_dims} must be even: channels turn in pairs")

    @property
    def head_dim(self) -> int:
        return self.dim // self.n_heads

    @property
    def hidden_dim(self) -> int:
        """Width of the feed-forward layer."""
        return int(self.dim / 3 * 8)

    @property
    def time_dim(self) -> int:
        """Width of the time embedding."""
        return min(self.dim, 256)

    @property
    def patch_dim(self) -> int:
        """Numbers in a patch."""
        return self.patch_size**2 * self.in_channels

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "SingleStreamConfig":
        """Read diffusers' `transformer/config.json`.

        Raises:
            FileFormatError: A key is missing, has the wrong type, or asks for what no published model has.
        """
        if values.get("_class_name", CLASS_NAME) != CLASS_NAME:
            raise FileFormatError(f"config is of a {values['_class_name']}, not of a {CLASS_NAME}")
        for key, only in PUBLISHED_ONLY_AS.items():
            if values.get(key, only) != only:
                raise FileFormatError(f"config: {key} = {values[key]!r} is not supported, only {only!r} is")
        if values.get("n_kv_heads", values.get("n_heads")) != values.get("n_heads"):
            raise FileFormatError(f"config: n_kv_heads {values['n_kv_heads']!r} must equal n_heads")
        with reading("config"):
            (patch_size,) = values["all_patch_size"]
            siglip = values.get("siglip_feat_dim")
            order, row, column = (int(n) for n in values["axes_dims"])
            orders, rows, columns = (int(n) for n in values["axes_lens"])
            return cls(
                patch_size=int(patch_size),
                in_channels=int(values["in_channels"]),
                dim=int(values["dim"]),
                n_layers=int(values["n_layers"]),
                n_refiner_layers=int(values["n_refiner_layers"]),
                n_heads=int(values["n_heads"]),
                norm_eps=float(values["norm_eps"]),
                cap_feat_dim=int(values["cap_feat_dim"]),
                rope_theta=float(values["rope_theta"]),
                t_scale=float(values["t_scale"]),
                axes_dims=(order, row, column),
                axes_lens=(orders, rows, columns),
                siglip_feat_dim=None if siglip is None else int(siglip),
            )

    def to_json(self) -> dict[str, Any]:
        """The same in diffusers' form."""
        return {
            "_class_name": CLASS_NAME,
            "all_patch_size": [self.patch_size],
            **PUBLISHED_ONLY_AS,
            "in_channels": self.in_channels,
            "dim": self.dim,
            "n_layers": self.n_layers,
            "n_refiner_layers": self.n_refiner_layers,
            "n_heads": self.n_heads,
            "n_kv_heads": self.n_heads,
            "norm_eps": self.norm_eps,
            "cap_feat_dim": self.cap_feat_dim,
            "siglip_feat_dim": self.siglip_feat_dim,
            "rope_theta": self.rope_theta,
            "t_scale": self.t_scale,
            "axes_dims": list(self.axes_dims),
            "axes_lens": list(self.axes_lens),
        }


Z_IMAGE_6B = SingleStreamConfig(
    patch_size=2,
    in_channels=16,
    dim=3840,
    n_layers=30,
    n_refiner_layers=2,
    n_heads=30,
    norm_eps=1e-5,
    cap_feat_dim=2560,
    rope_theta=256.0,
    t_scale=1000.0,
    axes_dims=(32, 48, 48),
    axes_lens=(1536, 512, 512),
    siglip_feat_dim=None,
)

MINI = SingleStreamConfig(
    patch_size=2,
    in_channels=16,
    dim=320,
    n_layers=8,
    n_refiner_layers=2,
    n_heads=5,
    norm_eps=1e-5,
    cap_feat_dim=256,
    rope_theta=256.0,
    t_scale=1000.0,
    axes_dims=(16, 24, 24),
    axes_lens=(1536, 512, 512),
    siglip_feat_dim=None,
)
