"""Z-Image's transformer: the published names, and those of the original code and ComfyUI.

The original has one matrix for queries, keys and values, its queries first (diffusers,
`convert_z_image_transformer_checkpoint_to_diffusers`).
"""

from __future__ import annotations

import re
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.dialects.layout import Dialect, Stored, numbered, unchanged
from mezzotint.models.formats.stored import StoredTensor, joined

# Published, original. A name is changed by at most one of them.
RENAMED = (
    (r"^all_x_embedder\.2-1\.", "x_embedder."),
    (r"^all_final_layer\.2-1\.", "final_layer."),
    (r"\.attention\.to_out\.0\.", ".attention.out."),
    (r"\.attention\.norm_([qk])\.", r".attention.\1_norm."),
)
BACK = (
    (r"^x_embedder\.", "all_x_embedder.2-1."),
    (r"^final_layer\.", "all_final_layer.2-1."),
    (r"\.attention\.out\.", ".attention.to_out.0."),
    (r"\.attention\.([qk])_norm\.", r".attention.norm_\1."),
)
FUSED = ".attention.qkv."
SPLIT = tuple(f".attention.to_{part}." for part in "qkv")
UNUSED = "norm_final.weight"


def original_name(published: str) -> str:
    """The original code's name for a tensor or module; each of q, k and v gives that of all three."""
    for part in SPLIT:
        published = published.replace(part, FUSED)
    for pattern, name in RENAMED:
        published = re.sub(pattern, name, published)
    return published


def to_published(tensors: Stored) -> dict[str, StoredTensor]:
    """
    Raises:
        FileFormatError: A matrix of queries, keys and values does not divide by three.
    """
    published = {}
    for name, tensor in tensors.items():
        if FUSED in name:
            rows, rest = divmod(tensor.shape[0] if tensor.shape else 1, 3)
            if rest:
                raise FileFormatError(f"{name} {list(tensor.shape)} is not made of queries, keys and values")
            for i, part in enumerate(SPLIT):
                published[name.replace(FUSED, part)] = tensor.rows(i * rows, (i + 1) * rows)
        elif name != UNUSED:
            for pattern, renamed in BACK:
                name = re.sub(pattern, renamed, name)
            published[name] = tensor
    return published


def from_published(tensors: Stored) -> dict[str, StoredTensor]:
    """
    Raises:
        FileFormatError: A block has queries, but no keys or values.
    """
    original = {}
    for name, tensor in tensors.items():
        if any(part in name for part in SPLIT[1:]):
            continue  # comes with its queries
        together = [name.replace(SPLIT[0], part) for part in SPLIT] if SPLIT[0] in name else []
        if absent := [part for part in together if part not in tensors]:
            raise FileFormatError(f"{absent[0]} is missing beside {name}")
        original[original_name(name)] = joined([tensors[part] for part in together]) if together else tensor
    return original


def config(tensors: Stored) -> dict[str, Any]:
    """What shapes do not tell: the rotary axes divide a head as 2:3:3, and their tables are the release's.

    Raises:
        FileFormatError: A tensor that tells a size is missing or has no such axis.
    """
    try:
        patches, width = tensors["all_x_embedder.2-1.weight"].shape[1], tensors["all_x_embedder.2-1.weight"].shape[0]
        (head,) = tensors["layers.0.attention.norm_q.weight"].shape
        (features,) = tensors["cap_embedder.0.weight"].shape
        siglip = tensors["siglip_embedder.0.weight"].shape[0] if "siglip_embedder.0.weight" in tensors else None
    except (KeyError, IndexError, ValueError) as cause:
        raise FileFormatError(f"the sizes of a Z-Image transformer cannot be told: {cause} is missing") from cause
    side = head // 8 * 3
    return {
        "_class_name": "ZImageTransformer2DModel",
        "all_patch_size": [2],
        "all_f_patch_size": [1],
        "in_channels": patches // 4,
        "dim": width,
        "n_layers": numbered(tensors, "layers"),
        "n_refiner_layers": numbered(tensors, "noise_refiner"),
        "n_heads": width // max(1, head),
        "n_kv_heads": width // max(1, head),
        "norm_eps": 1e-5,
        "qk_norm": True,
        "cap_feat_dim": features,
        "siglip_feat_dim": siglip,
        "rope_theta": 256.0,
        "t_scale": 1000.0,
        "axes_dims": [head - 2 * side, side, side],
        "axes_lens": [1536, 512, 512],
    }


DIFFUSERS = Dialect(
    component="transformer",
    network="Z-Image transformer",
    name="diffusers",
    marks=("x_pad_token", "cap_pad_token", "all_x_embedder.2-1.weight", "layers.0.attention.to_q.weight"),
    to_published=unchanged,
    from_published=unchanged,
    config=config,
)
ORIGINAL = Dialect(
    component="transformer",
    network="Z-Image transformer",
    name="original",
    marks=("x_pad_token", "cap_pad_token", "x_embedder.weight", "layers.0.attention.qkv.weight"),
    to_published=to_published,
    from_published=from_published,
    config=config,
)
