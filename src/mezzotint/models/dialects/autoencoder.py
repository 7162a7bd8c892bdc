"""`AutoencoderKL`: the published names, and those of latent diffusion (`ae.safetensors`).

Latent diffusion counts the decoder's resolutions from the finest, diffusers from the coarsest, and its attention has
1x1 convolutions where diffusers has matrices (diffusers, `convert_ldm_vae_checkpoint`).
"""

from __future__ import annotations

import re
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.dialects.layout import Dialect, Stored, numbered, unchanged
from mezzotint.models.formats.stored import StoredTensor

# Latent diffusion's part of a name, the published part.
ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
ATTENTION_BACK = {published: ldm for ldm, published in ATTENTION.items()}


def to_published(tensors: Stored) -> dict[str, StoredTensor]:
    levels = numbered(tensors, "decoder.up")
    published = {}
    for name, tensor in tensors.items():
        found = _published_name(name, levels)
        if ".mid_block.attentions.0.to_" in found and len(tensor.shape) == 4:
            tensor = tensor.reshaped(tensor.shape[:2])
        published[found] = tensor
    return published


def from_published(tensors: Stored) -> dict[str, StoredTensor]:
    levels = numbered(tensors, "decoder.up_blocks")
    ldm = {}
    for name, tensor in tensors.items():
        found = _ldm_name(name, levels)
        if ".mid.attn_1." in found and len(tensor.shape) == 2:
            tensor = tensor.reshaped((*tensor.shape, 1, 1))
        ldm[found] = tensor
    return ldm


def _published_name(name: str, levels: int) -> str:
    if found := re.fullmatch(r"(encoder|decoder)\.mid\.block_(\d+)\.(.+)", name):
        name = f"{found[1]}.mid_block.resnets.{int(found[2]) - 1}.{found[3]}"
    elif found := re.fullmatch(r"(encoder|decoder)\.mid\.attn_1\.(\w+)\.(\w+)", name):
        name = f"{found[1]}.mid_block.attentions.0.{ATTENTION.get(found[2], found[2])}.{found[3]}"
    elif found := re.fullmatch(r"encoder\.down\.(\d+)\.(block|downsample)\.(.+)", name):
        kind = "resnets." if found[2] == "block" else "downsamplers.0."
        name = f"encoder.down_blocks.{found[1]}.{kind}{found[3]}"
    elif found := re.fullmatch(r"decoder\.up\.(\d+)\.(block|upsample)\.(.+)", name):
        kind = "resnets." if found[2] == "block" else "upsamplers.0."
        name = f"decoder.up_blocks.{levels - 1 - int(found[1])}.{kind}{found[3]}"
    else:
        name = re.sub(r"^(encoder|decoder)\.norm_out\.", r"\1.conv_norm_out.", name)
    return name.replace(".nin_shortcut.", ".conv_shortcut.")


def _ldm_name(name: str, levels: int) -> str:
    if found := re.fullmatch(r"(encoder|decoder)\.mid_block\.resnets\.(\d+)\.(.+)", name):
        name = f"{found[1]}.mid.block_{int(found[2]) + 1}.{found[3]}"
    elif found := re.fullmatch(r"(encoder|decoder)\.mid_block\.attentions\.0\.(.+)\.(\w+)", name):
        name = f"{found[1]}.mid.attn_1.{ATTENTION_BACK.get(found[2], found[2])}.{found[3]}"
    elif found := re.fullmatch(r"encoder\.down_blocks\.(\d+)\.(resnets|downsamplers\.0)\.(.+)", name):
        kind = "block" if found[2] == "resnets" else "downsample"
        name = f"encoder.down.{found[1]}.{kind}.{found[3]}"
    elif found := re.fullmatch(r"decoder\.up_blocks\.(\d+)\.(resnets|upsamplers\.0)\.(.+)", name):
        kind = "block" if found[2] == "resnets" else "upsample"
        name = f"decoder.up.{levels - 1 - int(found[1])}.{kind}.{found[3]}"
    else:
        name = re.sub(r"^(encoder|decoder)\.conv_norm_out\.", r"\1.norm_out.", name)
    return name.replace(".conv_shortcut.", ".nin_shortcut.")


def config(tensors: Stored) -> dict[str, Any]:
    """What shapes do not tell, like the scaling of the latents, is the FLUX autoencoder's.

    Raises:
        FileFormatError: A tensor that tells a size is missing or has no such axis.
    """
    levels = numbered(tensors, "encoder.down_blocks")
    try:
        widths = [tensors[f"encoder.down_blocks.{i}.resnets.0.conv1.weight"].shape[0] for i in range(levels)]
        latent = tensors["decoder.conv_in.weight"].shape[1]
    except (KeyError, IndexError) as cause:
        raise FileFormatError(f"the sizes of an autoencoder cannot be told: {cause} is missing") from cause
    return {
        "_class_name": "AutoencoderKL",
        "in_channels": 3,
        "out_channels": 3,
        "act_fn": "silu",
        "use_quant_conv": "quant_conv.weight" in tensors,
        "use_post_quant_conv": "post_quant_conv.weight" in tensors,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "block_out_channels": widths,
        "layers_per_block": numbered(tensors, "encoder.down_blocks.0.resnets"),
        "latent_channels": latent,
        "norm_num_groups": 32,
        "mid_block_add_attention": "encoder.mid_block.attentions.0.to_q.weight" in tensors,
        "sample_size": 1024,
        "scaling_factor": 0.3611,
        "shift_factor": 0.1159,
        "force_upcast": False,
    }


DIFFUSERS = Dialect(
    component="vae",
    network="AutoencoderKL",
    name="diffusers",
    marks=("encoder.down_blocks.0.resnets.0.conv1.weight", "decoder.conv_norm_out.weight", "decoder.conv_in.weight"),
    to_published=unchanged,
    from_published=unchanged,
    config=config,
)
LATENT_DIFFUSION = Dialect(
    component="vae",
    network="AutoencoderKL",
    name="original",
    marks=("encoder.down.0.block.0.conv1.weight", "decoder.norm_out.weight", "decoder.conv_in.weight"),
    to_published=to_published,
    from_published=from_published,
    config=config,
)
