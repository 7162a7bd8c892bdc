"""Qwen-Image's components, from a folder or from single files, on their device and in the working dtype."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mezzotint.errors import FileFormatError
from mezzotint.generation.loading import Opened, filled, load_schedule, quantize, take_turns, unfilled
from mezzotint.generation.placement import PLAIN, Placement
from mezzotint.generation.scheduler import Schedule
from mezzotint.generation.settings import Settings, read_defaults
from mezzotint.models.autoencoder import QwenImageAutoencoder, QwenImageAutoencoderConfig
from mezzotint.models.bundle import read_json
from mezzotint.models.components import naming, open_component
from mezzotint.models.dual_stream import (
    DualStreamConfig,
    DualStreamTransformer,
    as_they_are,
    matrix_rows,
    stream_published,
)
from mezzotint.models.formats import Reading
from mezzotint.models.quantization import plain_places, stored_segments
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
    model: Path | Sources, device: torch.device, dtype: torch.dtype, placement: Placement = PLAIN, *, vision: bool
) -> QwenImageComponents:
    """All components of a model, ready to run; with the vision tower, which editing needs, or without.

    Raises:
        MissingFileError: A file is missing.
        FileFormatError: A file is broken, or does not fit its configuration.
    """
    sources = as_sources(model)
    at = {name: (path, dtype, device, sources.variant_of(name)) for name, path in sources.components.items()}
    tokenizer = sources.folder / "tokenizer"
    loaded = QwenImageComponents(
        defaults=read_defaults(sources.folder),
        schedule=load_schedule(sources.folder),
        transformer=load_transformer(*at["transformer"], placement=placement),
        autoencoder=load_autoencoder(*at["vae"], placement=placement),
        text=load_text_encoder(*at["text_encoder"], tokenizer=tokenizer, vision=vision, placement=placement),
    )
    take_turns(loaded, device)
    return loaded


def load_transformer(
    path: Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    variant: str | None = None,
    *,
    placement: Placement = PLAIN,
) -> DualStreamTransformer:
    """The MMDiT of a `transformer/` folder or of a single file; in the dtype of its file when none is given.

    Its tensors are read, fused and sent to the device one after another: another device than the CPU costs the CPU the
    memory of the largest of them only.

    Raises:
        MissingFileError, FileFormatError: A file is missing, broken, or something else.
    """
    opened = open_transformer(path, variant, placement)
    return filled(opened, dtype, device, leaves=placement.transformer_leaves, by_block=placement.by_block)


def open_transformer(
    path: Path, variant: str | None = None, placement: Placement = PLAIN
) -> Opened[DualStreamTransformer]:
    """The same without its weights."""
    component = open_component(path, "transformer", variant)
    with naming(component.config_path):
        config = DualStreamConfig.from_json(component.config)
    transformer = unfilled(component, lambda: DualStreamTransformer(config))
    kept = quantize(transformer, placement.quantize, stored_segments(matrix_rows(config), component.tensors))
    return Opened(
        transformer,
        component,
        lambda dtype: stream_published(Reading(component.tensors, dtype), config, kept),
        {ours: component.tensors[name] for ours, name in as_they_are(config).items() if name in component.tensors},
    )


def load_autoencoder(
    path: Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    variant: str | None = None,
    *,
    placement: Placement = PLAIN,
) -> QwenImageAutoencoder:
    """The autoencoder of a `vae/` folder or of a single file, likewise."""
    return filled(open_autoencoder(path, variant), dtype, device, leaves=placement.transformer_leaves)


def open_autoencoder(path: Path, variant: str | None = None) -> Opened[QwenImageAutoencoder]:
    """The same without its weights."""
    component = open_component(path, "vae", variant)
    with naming(component.config_path):
        config = QwenImageAutoencoderConfig.from_json(component.config)
    autoencoder = unfilled(component, lambda: QwenImageAutoencoder(config))
    return Opened(autoencoder, component, lambda dtype: Reading(component.tensors, dtype).items(), component.tensors)


def load_text_encoder(
    path: Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    variant: str | None = None,
    *,
    tokenizer: Path,
    vision: bool,
    placement: Placement = PLAIN,
) -> VisionLanguageTower:
    """The Qwen2.5-VL of a `text_encoder/` folder or of a single file, with or without its vision tower; likewise."""
    opened = open_text_encoder(path, variant, placement, tokenizer=tokenizer, vision=vision)
    return filled(opened, dtype, device, leaves=placement.text_leaves, by_block=placement.by_block).to(device)


def open_text_encoder(
    path: Path, variant: str | None = None, placement: Placement = PLAIN, *, tokenizer: Path, vision: bool
) -> Opened[VisionLanguageTower]:
    """The same without its weights."""
    component = open_component(path, "text_encoder", variant)
    with naming(component.config_path):
        config = VisionLanguageConfig.from_json(component.config)
    if vision and config.vision is None:
        raise FileFormatError(f"{path} has no vision tower, without which a model cannot see what it is to edit")
    config = config if vision else replace(config, vision=None)
    tokens = load_tokenizer(tokenizer)
    tower = unfilled(component, lambda: VisionLanguageTower(config, tokens))
    tower.compute_tables()
    stored = tower_from_published(component.tensors, vision=vision)
    kept = quantize(tower, placement.quantize, stored_segments(plain_places(stored), stored))
    read = {name: tensor for name, tensor in stored.items() if name not in kept}
    return Opened(tower, component, lambda dtype: Reading(read, dtype).items(), read)


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
