"""Which networks a file holds, and in whose names; for the rest, what it seems to be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mezzotint.errors import FileFormatError
from mezzotint.models.dialects import (
    autoencoder,
    control,
    qwen2_5_vl,
    qwen2_5_vl_vision,
    qwen3,
    qwen_image,
    qwen_image_autoencoder,
    z_image,
)
from mezzotint.models.dialects.layout import Dialect, Stored
from mezzotint.models.formats.stored import StoredTensor

DIALECTS = (
    z_image.DIFFUSERS,
    z_image.ORIGINAL,
    control.DIFFUSERS,
    control.ORIGINAL,
    qwen_image.DIFFUSERS,
    qwen3.PUBLISHED,
    qwen3.BARE,
    qwen3.LLAMA,
    qwen2_5_vl.RELEASED,
    qwen2_5_vl.NESTED_NAMES,
    qwen2_5_vl.LLAMA,
    qwen2_5_vl_vision.LLAMA,
    autoencoder.DIFFUSERS,
    autoencoder.LATENT_DIFFUSION,
    qwen_image_autoencoder.DIFFUSERS,
    qwen_image_autoencoder.ORIGINAL,
)
# What programs put before all names of a component; several components can so share one file.
PREFIXES = {
    "transformer": ("", "model.diffusion_model.", "diffusion_model.", "transformer."),
    "controlnet": ("", "controlnet.", "model.diffusion_model."),
    "vae": ("", "vae.", "first_stage_model."),
    "text_encoder": (
        "",
        "text_encoders.qwen3_4b.transformer.",
        "text_encoders.qwen3_4b.",
        "text_encoders.qwen25_7b.transformer.",
        "text_encoders.qwen25_7b.",
        "text_encoder.",
    ),
    "vision": ("",),
}
ENOUGH = 2 / 3  # of a dialect's marks, so that an incomplete file is still called by its name
NAMED_AT_MOST = 3

# A part of a name, and what a file with it seems to be.
SEEMS = (
    (".lora_", "a LoRA"),
    (".lora.", "a LoRA"),
    (".hada_w1", "a LoRA (LoHa)"),
    (".lokr_w", "a LoRA (LoKr)"),
    ("control_layers.", "a ControlNet for Z-Image"),
    ("double_blocks.0.img_attn", "a FLUX transformer"),
    ("single_transformer_blocks.", "a FLUX transformer"),
    ("joint_blocks.0.", "a Stable Diffusion 3 transformer"),
    ("input_blocks.", "a Stable Diffusion U-Net"),
    ("down_blocks.0.attentions.", "a Stable Diffusion U-Net"),
    ("cap_embedder.", "a Lumina transformer"),
    ("blocks.0.self_attn.", "a Wan video transformer"),
    ("residual_block", "a Wan autoencoder"),
    (".norm1.gamma", "a Wan or Qwen-Image autoencoder"),
    ("visual.blocks.", "a vision-language model"),
    ("self_attn.q_proj", "a language model other than Qwen3"),
    ("blk.0.", "a language model other than Qwen3"),
    ("text_model.encoder.", "a CLIP text encoder"),
    ("embeddings.patch_embedding.", "a CLIP or SigLIP vision tower"),
    ("encoder.block.0.layer.", "a T5 text encoder"),
)


@dataclass(frozen=True)
class Recognized:
    """A network in a file: its dialect, what stands before its names, and its tensors without that."""

    dialect: Dialect
    prefix: str
    tensors: dict[str, StoredTensor]

    @property
    def published(self) -> dict[str, StoredTensor]:
        """Its tensors under the published names."""
        return self.dialect.to_published(self.tensors)


def recognize(tensors: Stored) -> list[Recognized]:
    """The networks in a file, at most one for each component."""
    found = []
    for component, prefixes in PREFIXES.items():
        candidates = [
            (_marks(dialect, prefix, tensors), dialect, prefix)
            for dialect in DIALECTS
            if dialect.component == component
            for prefix in prefixes
        ]
        share, dialect, prefix = max(candidates, key=lambda candidate: candidate[0])
        if share >= ENOUGH:
            found.append(Recognized(dialect, prefix, _under(prefix, tensors)))
    if len(found) == 1:
        return found
    return [one for one in found if one.prefix]  # without a prefix, names of two networks cannot share a file


def _marks(dialect: Dialect, prefix: str, tensors: Stored) -> float:
    return sum(prefix + mark in tensors for mark in dialect.marks) / len(dialect.marks)


def _under(prefix: str, tensors: Stored) -> dict[str, StoredTensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def require(tensors: Stored, component: str, path: Path) -> Recognized:
    """The network of one component.

    Raises:
        FileFormatError: The file has none; the message says what it seems to be.
    """
    found = recognize(tensors)
    for one in found:
        if one.dialect.component == component:
            return one
    held = " and ".join(one.dialect.network for one in found)
    instead = f"it holds {held}" if held else f"it seems to be {guess(tensors)}"
    raise FileFormatError(f"{path} holds no {component} that is known here; {instead}")


def dialect_of(network: str, name: str) -> Dialect:
    """The dialect of that name; of a network that has one only, that one."""
    own = [dialect for dialect in DIALECTS if dialect.network == network]
    return next((dialect for dialect in own if dialect.name == name), own[0])


def guess(names: Iterable[str]) -> str:
    """What a file with these names seems to be."""
    names = list(names)
    for part, what in SEEMS:
        if any(part in name for name in names):
            return what
    if not names:
        return "empty"
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return f"something else ({', '.join(name[:60] for name in names[:NAMED_AT_MOST])}{more})"
