"""The text tower's measures, in the form of transformers' `text_encoder/config.json`, and the released sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.published_config import reading

# What this project does not vary; a folder that says otherwise is another kind of language model.
FIXED = {
    "model_type": "qwen3",
    "hidden_act": "silu",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "tie_word_embeddings": True,
    "use_sliding_window": False,
}


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """The measures of one `Qwen3Model`, by their published names."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    rms_norm_eps: float
    rope_theta: float

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TextConfig:
        """Read transformers' form, with `rope_theta` at the top (version 4) or in `rope_parameters` (version 5).

        Raises:
            FileFormatError: A value is missing or of the wrong form, or it is not a model of this kind.
        """
        for name, expected in FIXED.items():
            if values.get(name, expected) != expected:
                raise FileFormatError(f"text encoder config: {name} is {values[name]!r}, supported is {expected!r}")
        with reading("text encoder config"):
            rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
            if rope.get("rope_type", "default") != "default":
                raise FileFormatError(f"text encoder config: rope type {rope['rope_type']!r} is not supported")
            values = {**values, "rope_theta": rope.get("rope_theta", values.get("rope_theta"))}
            return cls(
                vocab_size=int(values["vocab_size"]),
                hidden_size=int(values["hidden_size"]),
                intermediate_size=int(values["intermediate_size"]),
                num_hidden_layers=int(values["num_hidden_layers"]),
                num_attention_heads=int(values["num_attention_heads"]),
                num_key_value_heads=int(values["num_key_value_heads"]),
                head_dim=int(values["head_dim"]),
                max_position_embeddings=int(values["max_position_embeddings"]),
                rms_norm_eps=float(values["rms_norm_eps"]),
                rope_theta=float(values["rope_theta"]),
            )

    def to_json(self) -> dict[str, Any]:
        """The same in transformers' form."""
        return {"architectures": ["Qwen3ForCausalLM"], **FIXED, **asdict(self), "dtype": "float32"}


QWEN3_4B = TextConfig(
    vocab_size=151_936,
    hidden_size=2560,
    intermediate_size=9728,
    num_hidden_layers=36,
    num_attention_heads=32,
    num_key_value_heads=8,
    head_dim=128,
    max_position_embeddings=40_960,
    rms_norm_eps=1e-6,
    rope_theta=1e6,
)
"""The published one that Z-Image uses."""

MINI = TextConfig(
    vocab_size=4096,
    hidden_size=256,
    intermediate_size=768,
    num_hidden_layers=6,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=64,
    max_position_embeddings=2048,
    rms_norm_eps=1e-6,
    rope_theta=1e4,
)
"""The mini bundle's: 5.8 M parameters."""
