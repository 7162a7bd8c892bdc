"""Those of the guide's files that are Qwen-Image's."""

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.generation.tiny_qwen_image import write_qwen_image

from mezzotint.models.conversion import convert

RELEASES = {
    "Qwen-Image": "QwenImagePipeline",
    "Qwen-Image-Edit": "QwenImageEditPipeline",
    "Qwen-Image-Edit-2509": "QwenImageEditPlusPipeline",
}


def write_qwen_images(folder: Path) -> None:
    """The releases as folders in `models/`, networks as single files, and a LoRA."""
    models = folder / "models"
    for name, kind in RELEASES.items():
        write_qwen_image(models / name, kind)
    convert(models / "Qwen-Image", folder / "qwen-image-Q4_0.gguf", "transformer", "gguf", "q4_0")
    convert(models / "Qwen-Image-Edit", folder / "qwen-image-edit-Q8_0.gguf", "transformer", "gguf", "q8_0")
    convert(models / "Qwen-Image", folder / "qwen_2.5_vl_7b.safetensors", "text_encoder", "original", "bfloat16")
    convert(models / "Qwen-Image", folder / "qwen_image_vae.safetensors", "vae", "original", None)
    convert(models / "Qwen-Image", folder / "qwen_image.safetensors", "transformer", "original", "bfloat16")
    _to_float8(folder / "qwen_image.safetensors", folder / "qwen_image_fp8_e4m3fn.safetensors")
    key = "transformer_blocks.0.attn.to_v"
    factors = {f"{key}.lora_A.weight": torch.ones(4, 48), f"{key}.lora_B.weight": 0.1 * torch.ones(48, 4)}
    save_file(factors, folder / "lightning.safetensors")


def _to_float8(source: Path, dest: Path) -> None:
    with safe_open(source, "pt") as file:
        notes = file.metadata()
    state = load_file(source)
    matrices = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in state.items() if tensor.ndim == 2}
    save_file(state | matrices, dest, metadata=notes)
