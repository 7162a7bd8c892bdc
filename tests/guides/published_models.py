"""The files that the guide to the published models names: small, in the published formats and layouts."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tests.generation.omni_model import write_omni_model
from tests.generation.pictures import photograph, right_half
from tests.generation.tiny_control import write_controls
from tests.generation.tiny_model import write_model
from tests.guides.qwen_image_models import write_qwen_images

from mezzotint.models.conversion import convert

WEIGHTS = "diffusion_pytorch_model.safetensors"
SIDES = 64  # patches on a side: pictures up to 1024 pixels


def write_files(folder: Path) -> None:
    """Every file under its name in the guide."""
    model = write_model(folder / "models" / "Z-Image")
    _widen(model / "transformer" / "config.json")
    write_single_files(model, folder)
    write_loras(model, folder)
    write_controls(folder / "controls")
    control = folder / "controls" / "2.1" / WEIGHTS
    shutil.copy(control, folder / "Z-Image-Turbo-Fun-Controlnet-Union-2.1.safetensors")
    write_qwen_images(folder)
    _widen(write_omni_model(folder / "models" / "Z-Image-Omni") / "transformer" / "config.json")
    photograph(80, 64).save(folder / "street.jpg")
    photograph(96, 64).save(folder / "cat.jpg")
    photograph(64, 80).save(folder / "hat.png")
    right_half(80, 64).save(folder / "mask.png")
    for name in ("pose.png", "edges.png"):
        photograph(120, 90).save(folder / name)


def write_single_files(model: Path, folder: Path) -> None:
    """A component each: ComfyUI's layout in bfloat16 and float8, GGUF, and the other two networks."""
    convert(model, folder / "z_image_turbo_bf16.safetensors", "transformer", "original", "bfloat16")
    convert(model, folder / "z-image-turbo-Q8_0.gguf", "transformer", "gguf", "q8_0")
    convert(model, folder / "ae.safetensors", "vae", "original", None)
    convert(model, folder / "qwen_3_4b.safetensors", "text_encoder", "original", "bfloat16")
    half = load_file(folder / "z_image_turbo_bf16.safetensors")
    matrices = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in half.items() if tensor.ndim == 2}
    prefixed = {f"model.diffusion_model.{name}": tensor for name, tensor in (half | matrices).items()}
    save_file(prefixed, folder / "z_image_turbo_fp8_e4m3fn.safetensors")


def write_loras(model: Path, folder: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    width = load_file(model / "transformer" / WEIGHTS)["layers.0.attention.to_v.weight"].shape[0]
    for name, prefix in (("ink", "diffusion_model."), ("detail", "transformer.")):
        key = f"{prefix}layers.0.attention.to_v"
        factors = {"lora_A": torch.randn(4, width, generator=generator), "lora_B": torch.ones(width, 4)}
        save_file({f"{key}.{part}.weight": factor for part, factor in factors.items()}, folder / f"{name}.safetensors")


def cache(model: Path, hub_id: str, folder: Path) -> None:
    """A model folder in a cache of huggingface-hub, as if it had been fetched."""
    commit = "0" * 40
    repository = folder / f"models--{hub_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(model, repository / "snapshots" / commit)


def _widen(config: Path) -> None:
    """Room for longer prompts and larger pictures; no weight depends on it."""
    config.write_text(json.dumps(json.loads(config.read_text()) | {"axes_lens": [1536, SIDES, SIDES]}))
