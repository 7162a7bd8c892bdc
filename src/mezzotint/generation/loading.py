"""A model's components, from a folder or from single files, on their device and in the working dtype."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from mezzotint.errors import FileFormatError
from mezzotint.generation.scheduler import Schedule, schedule_from_config
from mezzotint.generation.settings import Settings, read_defaults
from mezzotint.models.autoencoder.config import AutoencoderConfig
from mezzotint.models.autoencoder.model import Autoencoder
from mezzotint.models.bundle import load_into, read_json
from mezzotint.models.components import Component, explaining, naming, open_component
from mezzotint.models.formats import Reading
from mezzotint.models.single_stream import (
    OmniTransformer,
    SingleStreamConfig,
    SingleStreamTransformer,
    stream_published,
)
from mezzotint.models.sources import Sources, as_sources
from mezzotint.models.text import TextConfig, TextTower, build, load_tokenizer
from mezzotint.models.text import from_published as text_from_published
from mezzotint.models.vision import Preparation, VisionTower, VisionTowerConfig
from mezzotint.models.vision import from_published as vision_from_published
from mezzotint.runtime.memory import large_blocks_given_back

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class Components:
    """What Z-Image is made of."""

    transformer: SingleStreamTransformer
    autoencoder: Autoencoder
    text: TextTower
    schedule: Schedule
    defaults: Settings


def load_components(model: Path | Sources, device: torch.device, dtype: torch.dtype) -> Components:
    """All components of a Z-Image model, ready to run.

    Raises:
        MissingFileError: A file is missing.
        FileFormatError: A file is broken, or does not fit its configuration.
    """
    sources = as_sources(model)
    at = {name: (path, dtype, device, sources.variant_of(name)) for name, path in sources.components.items()}
    return Components(
        defaults=read_defaults(sources.folder),
        schedule=load_schedule(sources.folder),
        transformer=load_transformer(*at["transformer"]),
        autoencoder=load_autoencoder(*at["vae"]),
        text=load_text_encoder(*at["text_encoder"], tokenizer=sources.folder / "tokenizer"),
    )


def load_schedule(model: Path) -> Schedule:
    """The schedule of a model folder's `scheduler/`."""
    path = model / "scheduler" / "scheduler_config.json"
    with naming(path):
        return schedule_from_config(read_json(path))


def load_transformer(
    path: Path, dtype: torch.dtype | None = None, device: torch.device | str = "cpu", variant: str | None = None
) -> SingleStreamTransformer:
    """The S3-DiT of a `transformer/` folder or of a single file; in the dtype of its file when none is given.

    With `siglip_feat_dim` in its configuration it is an Omni one. Its tensors are read, fused and sent to the device
    one after another: another device than the CPU costs the CPU the memory of the largest of them only.

    Raises:
        MissingFileError, FileFormatError: A file is missing, broken, or something else.
    """
    component = open_component(path, "transformer", variant)
    with naming(component.config_path):
        config = SingleStreamConfig.from_json(component.config)
    kind = SingleStreamTransformer if config.siglip_feat_dim is None else OmniTransformer
    transformer = unfilled(component, lambda: kind(config))
    return filled(transformer, component, stream_published(Reading(component.tensors, dtype), config), device)


def load_autoencoder(
    path: Path, dtype: torch.dtype | None = None, device: torch.device | str = "cpu", variant: str | None = None
) -> Autoencoder:
    """The autoencoder of a `vae/` folder or of a single file, likewise."""
    component = open_component(path, "vae", variant)
    with naming(component.config_path):
        config = AutoencoderConfig.from_json(component.config)
    autoencoder = unfilled(component, lambda: Autoencoder(config))
    return filled(autoencoder, component, Reading(component.tensors, dtype).items(), device)


def load_text_tower(model: Path, dtype: torch.dtype | None = None) -> TextTower:
    """The text tower of a model folder (`text_encoder/`, `tokenizer/`), on the CPU; in its file's dtype by default."""
    return load_text_encoder(model / "text_encoder", dtype, tokenizer=model / "tokenizer")


def load_text_encoder(
    path: Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    variant: str | None = None,
    *,
    tokenizer: Path,
) -> TextTower:
    """The text tower of a `text_encoder/` folder or of a single file, with the tokenizer of a folder; likewise."""
    component = open_component(path, "text_encoder", variant)
    with naming(component.config_path):
        config = TextConfig.from_json(component.config)
    network = unfilled(component, lambda: build(config))
    network.rotary_emb = type(network.rotary_emb)(network.config)  # its tables are computed, so no file fills them
    tower = TextTower(network, load_tokenizer(tokenizer))
    weights = Reading(text_from_published(component.tensors), dtype)
    return filled(tower, component, weights.items(), device).to(device)


def load_vision_tower(
    path: Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    variant: str | None = None,
    *,
    processor: Path,
) -> VisionTower:
    """The vision tower of a `siglip/` folder, and how `processor` says that pictures come into it; likewise."""
    component = open_component(path, "siglip", variant)
    with naming(component.config_path):
        config = VisionTowerConfig.from_json(component.config)
    settings = processor / "preprocessor_config.json"
    with naming(settings):
        preparation = Preparation.from_json(read_json(settings))
        if preparation.patch_size != config.patch_size:
            raise FileFormatError(f"patch_size is {preparation.patch_size}; the vision tower's is {config.patch_size}")
    tower = unfilled(component, lambda: VisionTower(config, preparation))
    return filled(tower, component, Reading(vision_from_published(component.tensors), dtype).items(), device)


def unfilled(component: Component, build: Callable[[], N]) -> N:
    """A network without memory for its weights.

    Raises:
        FileFormatError: It cannot be built: the sizes in its configuration do not go together.
    """
    with naming(component.config_path):
        try:
            with torch.device("meta"):
                return build()
        except Exception as cause:  # what other libraries' constructors raise is nowhere said
            reason = str(cause).strip().split("\n")[0]
            raise FileFormatError(f"no network can have the sizes of this configuration ({reason})") from cause


def filled(network: N, component: Component, weights: Iterable[tuple[str, Tensor]], device: torch.device | str) -> N:
    """A network with its weights, ready to run. Each is read when its turn comes, and leaves the CPU before the next.

    Raises:
        FileFormatError: They are broken, or do not fit; the message says whose they are.
    """
    with explaining(component), large_blocks_given_back():
        load_into(network, {name: tensor.to(device) for name, tensor in weights}, component.path)
    return network.eval().requires_grad_(False)
