"""Qwen2.5-VL, Qwen-Image's text encoder: names as the releases have them, as transformers' classes do, and llama.cpp's.

llama.cpp's file holds the language model alone, which is all that text to image needs.
"""

from __future__ import annotations

import math
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.dialects import qwen3
from mezzotint.models.dialects.layout import Dialect, Stored, numbered
from mezzotint.models.formats.stored import StoredTensor

HEAD, VISION_HEAD = 128, 80
NESTED = (("model.language_model.", "model."), ("model.visual.", "visual."))


def released(tensors: Stored) -> dict[str, StoredTensor]:
    return {name: tensor for name, tensor in tensors.items() if name not in qwen3.OUTPUT}


def from_nested(tensors: Stored) -> dict[str, StoredTensor]:
    published = {}
    for name, tensor in released(tensors).items():
        prefix, own = next(((nested, own) for nested, own in NESTED if name.startswith(nested)), ("", ""))
        published[own + name.removeprefix(prefix)] = tensor
    return published


def to_nested(tensors: Stored) -> dict[str, StoredTensor]:
    nested = {}
    for name, tensor in tensors.items():
        prefix, own = next(((nested, own) for nested, own in NESTED if name.startswith(own)), ("", ""))
        nested[prefix + name.removeprefix(own)] = tensor
    return nested


def to_llama(tensors: Stored) -> dict[str, StoredTensor]:
    """The language model; llama.cpp keeps the vision tower in a file of another kind."""
    return qwen3.to_llama({name: tensor for name, tensor in tensors.items() if not name.startswith("visual.")})


def config(tensors: Stored) -> dict[str, Any]:
    """What shapes do not tell is Qwen2.5-VL-7B's; without a vision tower there is no `vision_config`.

    Raises:
        FileFormatError: A tensor that tells a size is missing or has no such axis.
    """
    try:
        vocabulary, width = tensors["model.embed_tokens.weight"].shape
        queries, keys, hidden = (
            tensors[f"model.layers.0.{name}.weight"].shape[0]
            for name in ("self_attn.q_proj", "self_attn.k_proj", "mlp.gate_proj")
        )
        vision = vision_config(tensors) if any(name.startswith("visual.") for name in tensors) else None
    except (KeyError, IndexError, ValueError) as cause:
        raise FileFormatError(f"the sizes of a Qwen2.5-VL text encoder cannot be told: {cause} is missing") from cause
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "image_token_id": 151_655,
        "tie_word_embeddings": False,
        "text_config": {
            "model_type": "qwen2_5_vl_text",
            "vocab_size": vocabulary,
            "hidden_size": width,
            "intermediate_size": hidden,
            "num_hidden_layers": numbered(tensors, "model.layers"),
            "num_attention_heads": queries // HEAD,
            "num_key_value_heads": keys // HEAD,
            "max_position_embeddings": 128_000,
            "rms_norm_eps": 1e-6,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
        },
        "vision_config": vision,
    }


def vision_config(tensors: Stored) -> dict[str, Any]:
    """
    Raises:
        KeyError, IndexError, ValueError: A tensor that tells a size is missing or has no such axis.
    """
    width, _, frames, patch, _ = tensors["visual.patch_embed.proj.weight"].shape
    out, merged = tensors["visual.merger.mlp.2.weight"].shape
    return {
        "model_type": "qwen2_5_vl_vision",
        "depth": numbered(tensors, "visual.blocks"),
        "hidden_size": width,
        "intermediate_size": tensors["visual.blocks.0.mlp.gate_proj.weight"].shape[0],
        "num_heads": width // VISION_HEAD,
        "patch_size": patch,
        "spatial_merge_size": math.isqrt(merged // max(1, width)),
        "temporal_patch_size": frames,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "out_hidden_size": out,
    }


RELEASED = Dialect(
    component="text_encoder",
    network="Qwen2.5-VL text encoder",
    name="transformers",
    marks=(
        "model.embed_tokens.weight",
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.self_attn.q_proj.bias",
    ),
    to_published=released,
    from_published=released,
    config=config,
)
NESTED_NAMES = Dialect(
    component="text_encoder",
    network="Qwen2.5-VL text encoder",
    name="transformers, as its classes name them",
    marks=tuple(mark.replace("model.", "model.language_model.") for mark in RELEASED.marks),
    to_published=from_nested,
    from_published=to_nested,
    config=config,
)
LLAMA = Dialect(
    component="text_encoder",
    network="Qwen2.5-VL text encoder",
    name="llama.cpp",
    marks=("token_embd.weight", "blk.0.attn_q.weight", "blk.0.attn_q.bias"),
    to_published=qwen3.from_llama,
    from_published=to_llama,
    config=config,
)
