"""The parts of a model folder that a training run writes."""

import shutil
from dataclasses import asdict
from pathlib import Path

import diffusers
import torch
from torch import Tensor

from mezzotint.errors import MissingFileError
from mezzotint.generation.settings import FILE as DEFAULTS
from mezzotint.generation.settings import Settings
from mezzotint.models import bundle
from mezzotint.models.single_stream import SingleStreamConfig, to_published
from mezzotint.models.text import TextConfig
from mezzotint.runtime import atomic

COMPONENTS = {
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3Model"],
    "tokenizer": ["transformers", "Qwen2Tokenizer"],
    "transformer": ["diffusers", "ZImageTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
TOWERS = ("vae", "text_encoder", "tokenizer")


def write_transformer(folder: Path, config: SingleStreamConfig, weights: dict[str, Tensor], dtype: torch.dtype) -> None:
    """`transformer/` in the published layout."""
    published = {name: weight.to(dtype) for name, weight in to_published(weights, config).items()}
    with atomic.folder(folder / "transformer") as part:
        bundle.write_weights(part, published)
        atomic.write_json(part / "config.json", config.to_json())


def write_text_encoder(folder: Path, config: TextConfig, weights: dict[str, Tensor], dtype: torch.dtype) -> None:
    """`text_encoder/` in the published layout."""
    with atomic.folder(folder / "text_encoder") as part:
        rounded = {name: weight.to(dtype) for name, weight in weights.items()}
        bundle.write_weights(part, rounded, bundle.TRANSFORMERS_WEIGHTS)
        atomic.write_json(part / "config.json", {**config.to_json(), "dtype": str(dtype).removeprefix("torch.")})


def copy_towers(model: Path, folder: Path) -> None:
    """The autoencoder and the text tower of another model, byte for byte."""
    for name in TOWERS:
        if not (model / name).is_dir():
            raise MissingFileError(f"{model} has no {name}/; a model to build on needs {', '.join(TOWERS)}")
        if (folder / name).exists() and (model / name).samefile(folder / name):
            continue
        with atomic.folder(folder / name) as part:
            shutil.copytree(model / name, part, dirs_exist_ok=True)


def write_pipeline(folder: Path, shift: float, defaults: Settings) -> None:
    """What makes the components one pipeline: `scheduler/`, `mezzotint.json`, and the index last."""
    scheduler = {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "_diffusers_version": diffusers.__version__,
        "num_train_timesteps": 1000,
        "shift": shift,
        "use_dynamic_shifting": False,
    }
    atomic.write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    atomic.write_json(folder / DEFAULTS, asdict(defaults))
    write_index(folder)


def write_index(folder: Path) -> None:
    """`model_index.json` with the components that are there, so that a model can grow by one after another."""
    there = {name: library for name, library in COMPONENTS.items() if (folder / name).is_dir()}
    index = {"_class_name": "ZImagePipeline", "_diffusers_version": diffusers.__version__, **there}
    atomic.write_json(folder / bundle.INDEX, index)
