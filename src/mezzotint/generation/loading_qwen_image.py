"""Qwen-Image's components, from a folder or from single files, on their device and in the working dtype."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mezzotint.errors import FileFormatError
from mezzotint.generation.loading import filled, load_schedule, unfilled
from mezzotint.generation.scheduler import Schedule
from mezzotint.generation.settings import Settings, read_defaults
from mezzotint.models.autoencoder import QwenImageAutoencoder, QwenImageAutoencoderConfig
from mezzotint.models.bundle import read_json
from mezzotint.models.components import naming, open_component
from mezzotint.models.dual_stream import DualStreamConfig, DualStreamTransformer, stream_published
from mezzotint.models.formats import Reading
from mezzotint.models.sources import Sources, as_sources
from mezzotint.models.text import load_tokenizer
from mezzotint.models.vision_language import PixelLimits, VisionLanguageConfig, VisionLanguageTower
from mezzotint.models.vision_language import from_published as tower_from_published


@dataclass(frozen=True, kw_only=True)
class QwenImageComponents:
    """What Qwen-Image is made of."""

    transformer: DualStreamTransformer
    autoencoder: QwenImageAutoencoder
    text: VisionLanguageTower
    schedule: Schedule
    defaults: Settings


def load_components(
    model: Path | Sources, device: torch.device, dtype: torch.dtype, *, vision: bool
) -> QwenImageComponents:
    """All components of a model, ready to run; with the vision tower, which editing needs, or without.

    Raises:
        MissingFileError: A file is missing.
        FileFormatError: A file is broken, or does not fit its configuration.
    """
    sources = as_sources(model)
    at = {name: (path, dtype, device, sources.variant_of(name)) for name, path in sources.components.items()}
    return QwenImageComponents(
        defaults=read_defaults(sources.folder),
        schedule=load_schedule(sources.folder),
        transformer=load_transformer(*at["transformer"]),
        autoencoder=load_autoencoder(*at["vae"]),
        text=load_text_encoder(*at["text_encoder"], tokenizer=sources.folder / "tokenizer", vision=vision),
    )


def load_transformer(
    path: Path, dtype: torch.dtype | None = None, device: torch.device | str = "cpu", variant: str | None = None
) -> DualStreamTransformer:
    """The MMDiT of a `transformer/` folder or of a single file; in the dtype of its file when none is given.

    Its tensors are read, fused and sent to the device one after another: another device than the CPU costs the CPU the
    memory of the largest of them only.

    Raises:
        MissingFileError, FileFormatError: A file is missing, broken, or something else.
    """
    component = open_component(path, "transformer", variant)
    with naming(component.config_path):
        config = DualStreamConfig.from_json(component.config)
    transformer = unfilled(component, lambda: DualStreamTransformer(config))
    return filled(transformer, component, stream_published(Reading(component.tensors, dtype), config), device)


def load_autoencoder(
    path: Path, dtype: torch.dtype | None = None, device: torch.device | str = "cpu", variant: str | None = None
) -> QwenImageAutoencoder:
    """The autoencoder of a `vae/` folder or of a single file, likewise."""
    component = open_component(path, "vae", variant)
    with naming(component.config_path):
        config = QwenImageAutoencoderConfig.from_json(component.config)
    autoencoder = unfilled(component, lambda: QwenImageAutoencoder(config))
    return filled(autoencoder, component, Reading(component.tensors, dtype).items(), device)


def load_text_encoder(
    path: Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    variant: str | None = None,
    *,
    tokenizer: Path,
    vision: bool,
) -> VisionLanguageTower:
    """The Qwen2.5-VL of a `text_encoder/` folder or of a single file, with or without its vision tower; likewise."""
    component = open_component(path, "text_encoder", variant)
    with naming(component.config_path):
        config = VisionLanguageConfig.from_json(component.config)
    if vision and config.vision is None:
        raise FileFormatError(f"{path} has no vision tower, without which a model cannot see what it is to edit")
    config = config if vision else replace(config, vision=None)
    tokens = load_tokenizer(tokenizer)
    tower = unfilled(component, lambda: VisionLanguageTower(config, tokens))
    tower.compute_tables()
    weights = Reading(tower_from_published(component.tensors, vision=vision), dtype)
    return filled(tower, component, weights.items(), device).to(device)


def load_pixel_limits(model: Path) -> PixelLimits:
    """How large pictures are that the vision tower of an Edit model sees, from its `processor/` folder.

    Raises:
        MissingFileError, FileFormatError: The file is missing or broken.
    """
    together = model / "processor" / "processor_config.json"  # as transformers 5 writes it
    path = together if together.is_file() else model / "processor" / "preprocessor_config.json"
    values = read_json(path)
    with naming(path):
        return PixelLimits.from_json(values.get("image_processor", values))
