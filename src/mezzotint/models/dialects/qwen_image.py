"""Qwen-Image's transformer: everybody uses the published names."""

from __future__ import annotations

from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.dialects.layout import Dialect, Stored, numbered, unchanged


def config(tensors: Stored) -> dict[str, Any]:
    """What shapes do not tell is the release's.

    Raises:
        FileFormatError: A tensor that tells a size is missing or has no such axis.
    """
    try:
        width, patch = tensors["img_in.weight"].shape
        (head,) = tensors["transformer_blocks.0.attn.norm_q.weight"].shape
        (features,) = tensors["txt_norm.weight"].shape
        out = tensors["proj_out.weight"].shape[0]
    except (KeyError, IndexError, ValueError) as cause:
        raise FileFormatError(f"the sizes of a Qwen-Image transformer cannot be told: {cause} is missing") from cause
    side = head // 16 * 7
    return {
        "_class_name": "QwenImageTransformer2DModel",
        "patch_size": 2,
        "in_channels": patch,
        "out_channels": out // 4,
        "num_layers": numbered(tensors, "transformer_blocks"),
        "attention_head_dim": head,
        "num_attention_heads": width // max(1, head),
        "joint_attention_dim": features,
        "axes_dims_rope": [head - 2 * side, side, side],
    }


DIFFUSERS = Dialect(
    component="transformer",
    network="Qwen-Image transformer",
    name="diffusers",
    marks=("img_in.weight", "txt_norm.weight", "transformer_blocks.0.attn.add_q_proj.weight"),
    to_published=unchanged,
    from_published=unchanged,
    config=config,
)
