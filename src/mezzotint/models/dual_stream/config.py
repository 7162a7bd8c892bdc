"""The sizes of a dual-stream MMDiT, the released one written out, and their public form (diffusers' `config.json`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.published_config import reading

CLASS_NAME = "QwenImageTransformer2DModel"
# What the public form can say and no supported release does: an embedded guidance, and the two of the layered variant.
PUBLISHED_ONLY_AS = {"guidance_embeds": False, "use_additional_t_cond": False, "use_layer3d_rope": False}


@dataclass(frozen=True, kw_only=True)
class DualStreamConfig:
    """Sizes of one network.

    Attributes:
        patch_size: Side of a patch in latent pixels. latent_channels: Channels of the latents.
        n_layers: Blocks. n_heads: Attention heads. head_dim: Channels of a head.
        text_dim: Width of the text tower's features.
        axes_dims: Channels of a head that turn with (picture, row, column); their sum is head_dim.
        zero_cond_t: Whether the tokens of reference pictures are modulated as clean ones, at σ = 0, whatever the time
            of the picture in the making. No size, but weights are trained one way or the other: the newer Edit
            releases so, the others not.
    """

    patch_size: int
    latent_channels: int
    n_layers: int
    n_heads: int
    head_dim: int
    text_dim: int
    axes_dims: tuple[int, int, int]
    zero_cond_t: bool

    def __post_init__(self) -> None:
        if self.head_dim != sum(self.axes_dims):
            raise FileFormatError(f"head_dim {self.head_dim} is not {sum(self.axes_dims)}, the sum of axes_dims")
        if any(channels % 2 for channels in self.axes_dims):
            raise FileFormatError(f"axes_dims {self.axes_dims} must be even: channels turn in pairs")

    @property
    def dim(self) -> int:
        """Width of a token."""
        return self.n_heads * self.head_dim

    @property
    def hidden_dim(self) -> int:
        """Width of the feed-forward layer."""
        return 4 * self.dim

    @property
    def patch_dim(self) -> int:
        """Numbers in a patch."""
        return self.patch_size**2 * self.latent_channels

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "DualStreamConfig":
        """Read diffusers' `transformer/config.json`.

        Raises:
            FileFormatError: A key is missing, has the wrong type, or asks for what no supported release has.
        """
        if values.get("_class_name", CLASS_NAME) != CLASS_NAME:
            raise FileFormatError(f"config is of a {values['_class_name']}, not of a {CLASS_NAME}")
        for key, only in PUBLISHED_ONLY_AS.items():
            if values.get(key, only) != only:
                raise FileFormatError(f"config: {key} = {values[key]!r} is not supported, only {only!r} is")
        with reading("config"):
            picture, row, column = (int(n) for n in values["axes_dims_rope"])
            config = cls(
                patch_size=int(values["patch_size"]),
                latent_channels=int(values["out_channels"]),
                n_layers=int(values["num_layers"]),
                n_heads=int(values["num_attention_heads"]),
                head_dim=int(values["attention_head_dim"]),
                text_dim=int(values["joint_attention_dim"]),
                axes_dims=(picture, row, column),
                zero_cond_t=bool(values.get("zero_cond_t", False)),  # the first releases had no word for it
            )
            in_channels = int(values["in_channels"])
        if in_channels != config.patch_dim:
            raise FileFormatError(
                f"config: in_channels {in_channels} is not patch_size² · out_channels, {config.patch_dim}"
            )
        return config

    def to_json(self) -> dict[str, Any]:
        """The same in diffusers' form."""
        return {
            "_class_name": CLASS_NAME,
            "patch_size": self.patch_size,
            "in_channels": self.patch_dim,
            "out_channels": self.latent_channels,
            "num_layers": self.n_layers,
            "attention_head_dim": self.head_dim,
            "num_attention_heads": self.n_heads,
            "joint_attention_dim": self.text_dim,
            "axes_dims_rope": list(self.axes_dims),
            "zero_cond_t": self.zero_cond_t,
            **PUBLISHED_ONLY_AS,
        }


# Qwen-Image, Edit and Edit-Plus alike; an Edit release that modulates references as clean says so in its config.json.
QWEN_IMAGE = DualStreamConfig(
    patch_size=2,
    latent_channels=16,
    n_layers=60,
    n_heads=24,
    head_dim=128,
    text_dim=3584,
    axes_dims=(16, 56, 56),
    zero_cond_t=False,
)
