"""The vision tower of Qwen2.5-VL in the file of its own that llama.cpp has for it, known as mmproj.

There queries, keys and values of a block are three matrices, and the patch embedding is one for each of two frames.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mezzotint.errors import FileFormatError
from mezzotint.models.dialects import qwen2_5_vl
from mezzotint.models.dialects.layout import Dialect, Stored
from mezzotint.models.formats.stored import StoredTensor, joined

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# llama.cpp's, published.
NAMES = {
    "v.post_ln": "visual.merger.ln_q",
    "mm.0": "visual.merger.mlp.0",
    "mm.2": "visual.merger.mlp.2",
}
IN_BLOCK = {
    "ln1": "norm1",
    "ln2": "norm2",
    "attn_qkv": "attn.qkv",
    "attn_out": "attn.proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
PATCHES = ("v.patch_embd.weight", "v.patch_embd.weight.1")  # of the first and the second frame
PUBLISHED_PATCHES = "visual.patch_embed.proj.weight"
SPLIT = ("attn_q", "attn_k", "attn_v")
BLOCK = re.compile(r"v\.blk\.(\d+)\.(\w+)\.(weight|bias)")


def from_llama(tensors: Stored) -> dict[str, StoredTensor]:
    """
    Raises:
        FileFormatError: A block has queries, but no keys or values; or there are patches of one frame only.
    """
    published = {}
    for name, tensor in tensors.items():
        block = BLOCK.fullmatch(name)
        if name == PATCHES[0]:
            published[PUBLISHED_PATCHES] = _frames(_together(tensors, PATCHES))
        elif block and block[2] == SPLIT[0]:
            parts = [f"v.blk.{block[1]}.{part}.{block[3]}" for part in SPLIT]
            published[f"visual.blocks.{block[1]}.attn.qkv.{block[3]}"] = joined(_together(tensors, parts))
        elif block and block[2] in IN_BLOCK:
            published[f"visual.blocks.{block[1]}.{IN_BLOCK[block[2]]}.{block[3]}"] = tensor
        elif name != PATCHES[1] and not (block and block[2] in SPLIT):
            stem, _, kind = name.rpartition(".")
            published[f"{NAMES.get(stem, stem)}.{kind}"] = tensor
    return published


def to_llama(tensors: Stored) -> dict[str, StoredTensor]:
    """The way back.

    Raises:
        FileFormatError: A matrix of queries, keys and values does not divide by three; or there are not two frames.
    """
    stems = {published: llama for llama, published in NAMES.items()}
    in_block = {published: llama for llama, published in IN_BLOCK.items()}
    named: dict[str, StoredTensor] = {}
    for name, tensor in tensors.items():
        stem, _, kind = name.rpartition(".")
        number, _, part = stem.removeprefix("visual.blocks.").partition(".")
        if name == PUBLISHED_PATCHES:
            if len(tensor.shape) != 5 or tensor.shape[2] != len(PATCHES):
                raise FileFormatError(f"{name} {list(tensor.shape)} is not of {len(PATCHES)} frames")
            named |= {patches: _frame(tensor, i) for i, patches in enumerate(PATCHES)}
        elif part == "attn.qkv":
            rows, rest = divmod(tensor.shape[0] if tensor.shape else 1, len(SPLIT))
            if rest:
                raise FileFormatError(f"{name} {list(tensor.shape)} is not made of queries, keys and values")
            for i, split in enumerate(SPLIT):
                named[f"v.blk.{number}.{split}.{kind}"] = tensor.rows(i * rows, (i + 1) * rows)
        elif part in in_block:
            named[f"v.blk.{number}.{in_block[part]}.{kind}"] = tensor
        else:
            named[f"{stems.get(stem, stem)}.{kind}"] = tensor
    return named


def _together(tensors: Stored, names: Sequence[str]) -> list[StoredTensor]:
    if absent := [name for name in names if name not in tensors]:
        raise FileFormatError(f"{absent[0]} is missing beside {names[0]}")
    return [tensors[name] for name in names]


def _frames(parts: Sequence[StoredTensor]) -> StoredTensor:
    """Patch embeddings "out channel height width" of some frames as one, the frame being the third axis."""

    def read(dtype: torch.dtype | None) -> Tensor:
        import torch

        return torch.stack([part.read(dtype) for part in parts], dim=2)

    shape = (*parts[0].shape[:2], len(parts), *parts[0].shape[2:])
    return StoredTensor(parts[0].dtype, shape, sum(part.nbytes for part in parts), read)


def _frame(tensor: StoredTensor, i: int) -> StoredTensor:
    shape = (*tensor.shape[:2], *tensor.shape[3:])
    return StoredTensor(
        tensor.dtype, shape, tensor.nbytes // tensor.shape[2], lambda dtype: tensor.read(dtype)[:, :, i]
    )


def config(tensors: Stored) -> dict[str, Any]:
    """The vision tower's part of the model's `config.json`.

    Raises:
        FileFormatError: A tensor that tells a size is missing or has no such axis.
    """
    return {"model_type": "qwen2_5_vl", "vision_config": qwen2_5_vl.vision_config(tensors)}


LLAMA = Dialect(
    component="vision",
    network="Qwen2.5-VL vision tower",
    name="llama.cpp",
    marks=("v.patch_embd.weight", "v.patch_embd.weight.1", "v.post_ln.weight", "v.blk.0.ffn_gate.weight"),
    to_published=from_llama,
    from_published=to_llama,
    config=config,
)
