"""Qwen3, the text encoder: the published names, with or without `model.` before them, and llama.cpp's."""

from __future__ import annotations

import re
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.dialects.layout import Dialect, Stored, numbered
from mezzotint.models.formats.stored import StoredTensor

PREFIX = "model."
OUTPUT = ("lm_head.weight", "output.weight")  # only features are read
# llama.cpp's, published; what is not here has a name of its own in neither.
TOP = {"token_embd": "embed_tokens", "output_norm": "norm"}
INSIDE = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def with_prefix(tensors: Stored) -> dict[str, StoredTensor]:
    return {PREFIX + name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name not in OUTPUT}


def from_llama(tensors: Stored) -> dict[str, StoredTensor]:
    published = {}
    for name, tensor in tensors.items():
        stem, _, kind = name.rpartition(".")
        if block := re.fullmatch(r"blk\.(\d+)\.(\w+)", stem):
            stem = f"layers.{block[1]}.{INSIDE.get(block[2], block[2])}"
        if name not in OUTPUT:
            published[f"{PREFIX}{TOP.get(stem, stem)}.{kind}"] = tensor
    return published


def to_llama(tensors: Stored) -> dict[str, StoredTensor]:
    top, inside = ({published: llama for llama, published in names.items()} for names in (TOP, INSIDE))
    llama = {}
    for name, tensor in tensors.items():
        stem, _, kind = name.removeprefix(PREFIX).rpartition(".")
        if block := re.fullmatch(r"layers\.(\d+)\.(.+)", stem):
            stem = f"blk.{block[1]}.{inside.get(block[2], block[2])}"
        llama[f"{top.get(stem, stem)}.{kind}"] = tensor
    return llama


def config(tensors: Stored) -> dict[str, Any]:
    """What shapes do not tell is Qwen3-4B's.

    Raises:
        FileFormatError: A tensor that tells a size is missing or has no such axis.
    """
    try:
        vocabulary, width = tensors["model.embed_tokens.weight"].shape
        (head,) = tensors["model.layers.0.self_attn.q_norm.weight"].shape
        queries, keys, hidden = (
            tensors[f"model.layers.0.{name}.weight"].shape[0]
            for name in ("self_attn.q_proj", "self_attn.k_proj", "mlp.gate_proj")
        )
    except (KeyError, IndexError, ValueError) as cause:
        raise FileFormatError(f"the sizes of a Qwen3 text encoder cannot be told: {cause} is missing") from cause
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_act": "silu",
        "attention_bias": False,
        "tie_word_embeddings": True,
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": hidden,
        "num_hidden_layers": numbered(tensors, "model.layers"),
        "num_attention_heads": queries // max(1, head),
        "num_key_value_heads": keys // max(1, head),
        "head_dim": head,
        "max_position_embeddings": 40_960,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
    }


PUBLISHED = Dialect(
    component="text_encoder",
    network="Qwen3 text encoder",
    name="transformers",
    marks=(
        "model.embed_tokens.weight",
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.self_attn.q_norm.weight",
    ),
    to_published=with_prefix,
    from_published=with_prefix,
    config=config,
)
BARE = Dialect(
    component="text_encoder",
    network="Qwen3 text encoder",
    name="transformers, without the output layer's wrapper",
    marks=tuple(mark.removeprefix(PREFIX) for mark in PUBLISHED.marks),
    to_published=with_prefix,
    from_published=lambda tensors: {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()},
    config=config,
)
LLAMA = Dialect(
    component="text_encoder",
    network="Qwen3 text encoder",
    name="llama.cpp",
    marks=("token_embd.weight", "blk.0.attn_q.weight", "blk.0.attn_q_norm.weight"),
    to_published=from_llama,
    from_published=to_llama,
    config=config,
)
