"""`AutoencoderKLQwenImage`: the published names, and those of the original code (Wan's), which ComfyUI keeps.

The original counts everything between its first and its last convolution in one row of each half: residual blocks and,
after those of a resolution, its resampling. Diffusers does so in the encoder, and in the decoder counts resolutions.
"""

from __future__ import annotations

import re
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.dialects.layout import Dialect, Stored, numbered, unchanged
from mezzotint.models.formats.stored import StoredTensor

# Of the release's latents, each channel's; no shape tells them.
LATENTS_MEAN = (
    *(-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508),
    *(0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
)
LATENTS_STD = (
    *(2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743),
    *(3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160),
)
# Original, published: tops, and inside of a residual block.
TOPS = (
    (r"conv1", "quant_conv"),
    (r"conv2", "post_quant_conv"),
    (r"(encoder|decoder)\.conv1", r"\1.conv_in"),
    (r"(encoder|decoder)\.head\.0", r"\1.norm_out"),
    (r"(encoder|decoder)\.head\.2", r"\1.conv_out"),
    (r"(encoder|decoder)\.middle\.1\.(.+)", r"\1.mid_block.attentions.0.\2"),
)
TOPS_BACK = (
    (r"quant_conv", "conv1"),
    (r"post_quant_conv", "conv2"),
    (r"(encoder|decoder)\.conv_in", r"\1.conv1"),
    (r"(encoder|decoder)\.norm_out", r"\1.head.0"),
    (r"(encoder|decoder)\.conv_out", r"\1.head.2"),
    (r"(encoder|decoder)\.mid_block\.attentions\.0\.(.+)", r"\1.middle.1.\2"),
)
INSIDE = {
    "residual.0": "norm1",
    "residual.2": "conv1",
    "residual.3": "norm2",
    "residual.6": "conv2",
    "shortcut": "conv_shortcut",
}
INSIDE_BACK = {published: original for original, published in INSIDE.items()}


def to_published(tensors: Stored) -> dict[str, StoredTensor]:
    resampled = [int(name.split(".")[2]) for name in tensors if re.match(r"decoder\.upsamples\.\d+\.resample", name)]
    level = min(resampled, default=len(tensors)) + 1  # blocks of a resolution, its resampling counted
    published = {}
    for name, tensor in tensors.items():
        stem, _, kind = name.rpartition(".")
        published[f"{_published_stem(stem, level)}.{kind}"] = tensor
    return published


def from_published(tensors: Stored) -> dict[str, StoredTensor]:
    level = numbered(tensors, "decoder.up_blocks.0.resnets") + 1
    original = {}
    for name, tensor in tensors.items():
        stem, _, kind = name.rpartition(".")
        original[f"{_original_stem(stem, level)}.{kind}"] = tensor
    return original


def _published_stem(stem: str, level: int) -> str:
    for pattern, name in TOPS:
        if re.fullmatch(pattern, stem):
            return re.sub(pattern, name, stem)
    if found := re.fullmatch(r"(encoder|decoder)\.middle\.([02])\.(.+)", stem):
        return f"{found[1]}.mid_block.resnets.{int(found[2]) // 2}.{INSIDE.get(found[3], found[3])}"
    if found := re.fullmatch(r"encoder\.downsamples\.(\d+)\.(.+)", stem):
        return f"encoder.down_blocks.{found[1]}.{INSIDE.get(found[2], found[2])}"
    if found := re.fullmatch(r"decoder\.upsamples\.(\d+)\.(.+)", stem):
        resolution, block = divmod(int(found[1]), level)
        place = "upsamplers.0" if block == level - 1 else f"resnets.{block}"
        return f"decoder.up_blocks.{resolution}.{place}.{INSIDE.get(found[2], found[2])}"
    return stem


def _original_stem(stem: str, level: int) -> str:
    for pattern, name in TOPS_BACK:
        if re.fullmatch(pattern, stem):
            return re.sub(pattern, name, stem)
    if found := re.fullmatch(r"(encoder|decoder)\.mid_block\.resnets\.(\d+)\.(.+)", stem):
        return f"{found[1]}.middle.{2 * int(found[2])}.{INSIDE_BACK.get(found[3], found[3])}"
    if found := re.fullmatch(r"encoder\.down_blocks\.(\d+)\.(.+)", stem):
        return f"encoder.downsamples.{found[1]}.{INSIDE_BACK.get(found[2], found[2])}"
    if found := re.fullmatch(r"decoder\.up_blocks\.(\d+)\.(resnets|upsamplers)\.(\d+)\.(.+)", stem):
        block = int(found[3]) if found[2] == "resnets" else level - 1
        return f"decoder.upsamples.{int(found[1]) * level + block}.{INSIDE_BACK.get(found[4], found[4])}"
    return stem


def config(tensors: Stored) -> dict[str, Any]:
    """What shapes do not tell, like the scaling of the latents, is the release's.

    Raises:
        FileFormatError: A tensor that tells a size is missing or has no such axis.
    """
    try:
        base = tensors["encoder.conv_in.weight"].shape[0]
        latent = tensors["post_quant_conv.weight"].shape[0]
    except (KeyError, IndexError) as cause:
        raise FileFormatError(f"the sizes of an autoencoder cannot be told: {cause} is missing") from cause
    blocks = numbered(tensors, "encoder.down_blocks")
    per_level = numbered(tensors, "decoder.up_blocks.0.resnets") - 1
    levels = numbered(tensors, "decoder.up_blocks")
    resamples = [block for block in range(blocks) if f"encoder.down_blocks.{block}.resample.1.weight" in tensors]
    firsts = [f"encoder.down_blocks.{level * (per_level + 1)}.conv1.weight" for level in range(levels)]
    if not all(name in tensors for name in firsts):
        raise FileFormatError("the sizes of an autoencoder cannot be told: its blocks are incomplete")
    return {
        "_class_name": "AutoencoderKLQwenImage",
        "attn_scales": [],
        "base_dim": base,
        "dim_mult": [tensors[name].shape[0] // max(1, base) for name in firsts],
        "dropout": 0.0,
        "latents_mean": list(LATENTS_MEAN),
        "latents_std": list(LATENTS_STD),
        "num_res_blocks": per_level,
        "temperal_downsample": [f"encoder.down_blocks.{block}.time_conv.weight" in tensors for block in resamples],
        "z_dim": latent,
    }


MARKS = ("encoder.norm_out.gamma", "decoder.mid_block.attentions.0.to_qkv.weight", "post_quant_conv.weight")
DIFFUSERS = Dialect(
    component="vae",
    network="AutoencoderKLQwenImage",
    name="diffusers",
    marks=MARKS,
    to_published=unchanged,
    from_published=unchanged,
    config=config,
)
ORIGINAL = Dialect(
    component="vae",
    network="AutoencoderKLQwenImage",
    name="original",
    marks=("encoder.head.0.gamma", "decoder.middle.1.to_qkv.weight", "conv2.weight"),
    to_published=to_published,
    from_published=from_published,
    config=config,
)
