"""A whole Z-Image model folder of any size with random weights, to run and to measure; nothing of it is learned."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from benchmarks.rivals import random_network
from torch import nn

from mezzotint.models import autoencoder, bundle, text
from mezzotint.models.bundle import find_model
from mezzotint.models.single_stream import SingleStreamConfig, to_published
from mezzotint.runtime import atomic

N = TypeVar("N", bound=nn.Module)

DEFAULTS = {"steps": 8, "guidance": 0.0, "width": 1024, "height": 1024}


def write_random_model(
    folder: Path,
    config: SingleStreamConfig,
    text_config: text.TextConfig,
    autoencoder_config: autoencoder.AutoencoderConfig,
    device: torch.device,
) -> Path:
    """In bf16. The tokenizer is the mini's: its tokens are among those of any larger vocabulary."""
    dtype = torch.bfloat16
    network = random_network(config, device, dtype)
    _write(folder / "transformer", to_published(network.state_dict(), config), config.to_json())
    del network
    vae = _random(lambda: autoencoder.Autoencoder(autoencoder_config), device)
    _write(folder / "vae", vae.state_dict(), autoencoder_config.to_json())
    tokenizer = text.load_tokenizer(find_model("mini") / "tokenizer")
    tower = _random(lambda: text.TextTower(text.build(text_config), tokenizer), device)
    _write(folder / "text_encoder", tower.state_dict(), text_config.to_json(), bundle.TRANSFORMERS_WEIGHTS)
    text.save_tokenizer(tokenizer, folder / "tokenizer")
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0}
    atomic.write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    atomic.write_json(folder / "mezzotint.json", DEFAULTS)
    atomic.write_json(folder / bundle.INDEX, {"_class_name": "ZImagePipeline"})
    return folder


def _write(
    folder: Path, state: dict[str, torch.Tensor], config: dict[str, object], name: str = bundle.DIFFUSERS_WEIGHTS
) -> None:
    bundle.write_weights(folder, {key: tensor.cpu().contiguous() for key, tensor in state.items()}, name)
    atomic.write_json(folder / "config.json", config)


@torch.no_grad()
def _random(build: Callable[[], N], device: torch.device) -> N:
    with torch.device("meta"):
        network = build()
    network = network.to(torch.bfloat16).to_empty(device=device)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=0.5 * parameter[0].numel() ** -0.5)
        else:
            parameter.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    return network
