"""Adapters as PEFT computes them on diffusers' network, and as the files that their trainers write."""

from pathlib import Path
from typing import Any

import torch
from diffusers import ZImageTransformer2DModel
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from safetensors.torch import save_file
from tests.models.single_stream.oracle import oracle_velocity, random_inputs, random_oracle, small_config
from torch import Tensor

from mezzotint.models.single_stream import SingleStreamTransformer

CONFIG = small_config()
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "w1", "w2", "w3", "layers.0.adaLN_modulation.0", "cap_embedder.1"]
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
INPUTS = random_inputs(CONFIG, [(8, 12), (8, 8)], [5, 20])


def adapted_oracle(config: Any, seed: int = 1) -> ZImageTransformer2DModel:
    """The random oracle with an adapter, every number of it random."""
    oracle = random_oracle(CONFIG)
    inject_adapter_in_model(config, oracle)
    randomize(oracle, seed)
    return oracle.eval()


def randomize(oracle: ZImageTransformer2DModel, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in oracle.named_parameters():
            draw = torch.randn(parameter.shape, generator=generator)
            if "magnitude" in name:
                parameter.mul_(1.0 + 0.2 * draw)
            elif any(part in name for part in ("lora_", "hada_", "lokr_")):
                parameter.copy_(0.3 * draw)


def state_of(oracle: ZImageTransformer2DModel) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in get_peft_model_state_dict(oracle).items()}


def velocity_of_oracle(oracle: ZImageTransformer2DModel) -> list[Tensor]:
    with torch.no_grad():
        return oracle_velocity(oracle, *INPUTS)


def velocity_of_ours(model: SingleStreamTransformer) -> list[Tensor]:
    latents, t, features = INPUTS
    with torch.no_grad():
        return list(model(latents, t, model.refine_captions(features)))


def largest_difference(ours: list[Tensor], theirs: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


def write(path: Path, state: dict[str, Tensor]) -> Path:
    save_file({name: tensor.clone() for name, tensor in state.items()}, path)
    return path


def lora(targets: list[str] | None = None, *, rank: int = 4, alpha: float = 4, **options: Any) -> LoraConfig:
    return LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets or TARGETS, **options)


def loha(rank: int = 3, alpha: float = 6) -> LoHaConfig:
    return LoHaConfig(r=rank, alpha=alpha, target_modules=ATTENTION, init_weights=False)


def lokr(rank: int = 3, alpha: float = 6, **options: Any) -> LoKrConfig:
    return LoKrConfig(r=rank, alpha=alpha, target_modules=ATTENTION, init_weights=False, **options)
