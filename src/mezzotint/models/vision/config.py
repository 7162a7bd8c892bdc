"""The vision tower's measures, in the form of transformers' `siglip/config.json`, and the released size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.published_config import reading

MODEL_TYPE = "siglip2_vision_model"
# What this project does not vary; a folder that says otherwise is another kind of tower.
FIXED = {"num_channels": 3, "hidden_act": "gelu_pytorch_tanh", "attention_dropout": 0.0}


@dataclass(frozen=True, kw_only=True)
class VisionTowerConfig:
    """The measures of one `Siglip2VisionModel`, by their published names.

    Attributes:
        patch_size: Side of a patch in pixels.
        num_patches: Positions that are learned, a square of them, which is stretched over each picture's grid.
    """

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    layer_norm_eps: float
    patch_size: int
    num_patches: int

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> VisionTowerConfig:
        """Read transformers' form: of the tower alone, or with its text encoder (`vision_config`).

        Raises:
            FileFormatError: A value is missing or of the wrong form, or it is not a tower of this kind.
        """
        vision = values.get("vision_config", values)
        if not isinstance(vision, Mapping):
            raise FileFormatError(f"vision tower config: vision_config is {vision!r}, not an object")
        for name, expected in {"model_type": MODEL_TYPE, **FIXED}.items():
            if vision.get(name, expected) != expected:
                raise FileFormatError(f"vision tower config: {name} is {vision[name]!r}, supported is {expected!r}")
        with reading("vision tower config"):
            return cls(
                hidden_size=int(vision["hidden_size"]),
                intermediate_size=int(vision["intermediate_size"]),
                num_hidden_layers=int(vision["num_hidden_layers"]),
                num_attention_heads=int(vision["num_attention_heads"]),
                layer_norm_eps=float(vision["layer_norm_eps"]),
                patch_size=int(vision["patch_size"]),
                num_patches=int(vision["num_patches"]),
            )

    def to_json(self) -> dict[str, Any]:
        """The same in transformers' form."""
        return {
            "architectures": ["Siglip2VisionModel"],
            "model_type": MODEL_TYPE,
            **FIXED,
            **asdict(self),
            "dtype": "float32",
        }


SIGLIP2_SO400M = VisionTowerConfig(
    hidden_size=1152,
    intermediate_size=4304,
    num_hidden_layers=27,
    num_attention_heads=16,
    layer_norm_eps=1e-6,
    patch_size=16,
    num_patches=256,
)
"""The published one that Z-Image Omni uses, without the pooling head that nothing here reads."""
