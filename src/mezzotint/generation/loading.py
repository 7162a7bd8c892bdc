"""A model's components, from a folder or from single files, on their device and in the working dtype."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from mezzotint.errors import FileFormatError
from mezzotint.generation.offload import Home, Turns
from mezzotint.generation.placement import PLAIN, Placement
from mezzotint.generation.scheduler import Schedule, schedule_from_config
from mezzotint.generation.settings import Settings, read_defaults
from mezzotint.models.autoencoder.config import AutoencoderConfig
from mezzotint.models.autoencoder.model import Autoencoder
from mezzotint.models.bundle import load_into, read_json, weight_files
from mezzotint.models.components import Component, explaining, naming, open_component
from mezzotint.models.formats import Reading, StoredTensor, open_weights
from mezzotint.models.quantization import (
    STORED,
    keep_blocks,
    packed_weights,
    plain_places,
    quantize_layers,
    stored_segments,
)
from mezzotint.models.quantization.stored_blocks import Segment, keeps_blocks
from mezzotint.models.single_stream import (
    OmniTransformer,
    SingleStreamConfig,
    SingleStreamTransformer,
    as_they_are,
    matrix_rows,
    stream_published,
)
from mezzotint.models.single_stream.half_range import hold_in_range
from mezzotint.models.sources import Sources, as_sources
from mezzotint.models.text import TextConfig, TextTower, build, load_tokenizer
from mezzotint.models.text import from_published as text_from_published
from mezzotint.models.vision import Preparation, VisionTower, VisionTowerConfig
from mezzotint.models.vision import from_published as vision_from_published
from mezzotint.runtime.memory import large_blocks_given_back

N = TypeVar("N", bound=nn.Module)
# What of a network is called from outside and needs its weights.
USED_BY = {
    "text": ("encode", "encode_segments", "look"),
    "transformer": ("forward", "refine_captions", "embed_captions", "refine"),
    "autoencoder": ("moments", "encode", "decode"),
}


@dataclass(frozen=True)
class Opened(Generic[N]):
    """A network that is built but has no weights yet: it is on the meta device.

    Attributes:
        weights: From the dtype for floating ones (None: the file's) to all weights under its names, each read when its
            turn comes.
        unchanged: Those of its weights that are tensors of the file as they stand.
        prepare: Called with the network when it has its weights.
    """

    network: N
    component: Component
    weights: Callable[[torch.dtype | None], Iterable[tuple[str, Tensor]]]
    unchanged: Mapping[str, StoredTensor] = field(default_factory=dict)
    prepare: Callable[[N], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Components:
    """What Z-Image is made of."""

    transformer: SingleStreamTransformer
    autoencoder: Autoencoder
    text: TextTower
    schedule: Schedule
    defaults: Settings


def load_components(
    model: Path | Sources, device: torch.device, dtype: torch.dtype, placement: Placement = PLAIN
) -> Components:
    """All components of a Z-Image model, ready to run.

    Raises:
        MissingFileError: A file is missing.
        FileFormatError: A file is broken, or does not fit its configuration.
    """
    sources = as_sources(model)
    at = {name: (path, dtype, device, sources.variant_of(name)) for name, path in sources.components.items()}
    loaded = Components(
        defaults=read_defaults(sources.folder),
        schedule=load_schedule(sources.folder),
        transformer=load_transformer(*at["transformer"], placement=placement),
        autoencoder=load_autoencoder(*at["vae"], placement=placement),
        text=load_text_encoder(*at["text_encoder"], tokenizer=sources.folder / "tokenizer", placement=placement),
    )
    take_turns(loaded, device)
    return loaded


def load_schedule(model: Path) -> Schedule:
    """The schedule of a model folder's `scheduler/`."""
    path = model / "scheduler" / "scheduler_config.json"
    with naming(path):
        return schedule_from_config(read_json(path))


def load_transformer(
    path: Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    variant: str | None = None,
    *,
    placement: Placement = PLAIN,
) -> SingleStreamTransformer:
    """The S3-DiT of a `transformer/` folder or of a single file; in the dtype of its file when none is given.

    With `siglip_feat_dim` in its configuration it is an Omni one. Its tensors are read, fused and sent to the device
    one after another: another device than the CPU costs the CPU the memory of the largest of them only.

    Raises:
        MissingFileError, FileFormatError: A file is missing, broken, or something else.
    """
    opened = open_transformer(path, variant, placement)
    if dtype == torch.float16:
        opened = replace(opened, prepare=hold_in_range)
    return filled(opened, dtype, device, leaves=placement.transformer_leaves, by_block=placement.by_block)


def open_transformer(
    path: Path, variant: str | None = None, placement: Placement = PLAIN
) -> Opened[SingleStreamTransformer]:
    """The same without its weights."""
    component = open_component(path, "transformer", variant)
    with naming(component.config_path):
        config = SingleStreamConfig.from_json(component.config)
    kind = SingleStreamTransformer if config.siglip_feat_dim is None else OmniTransformer
    transformer = unfilled(component, lambda: kind(config))
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
) -> Autoencoder:
    """The autoencoder of a `vae/` folder or of a single file, likewise."""
    return filled(open_autoencoder(path, variant), dtype, device, leaves=placement.transformer_leaves)


def open_autoencoder(path: Path, variant: str | None = None) -> Opened[Autoencoder]:
    """The same without its weights."""
    component = open_component(path, "vae", variant)
    with naming(component.config_path):
        config = AutoencoderConfig.from_json(component.config)
    autoencoder = unfilled(component, lambda: Autoencoder(config))
    return Opened(autoencoder, component, lambda dtype: Reading(component.tensors, dtype).items(), component.tensors)


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
    placement: Placement = PLAIN,
) -> TextTower:
    """The text tower of a `text_encoder/` folder or of a single file, with the tokenizer of a folder; likewise."""
    opened = open_text_encoder(path, variant, placement, tokenizer=tokenizer)
    return filled(opened, dtype, device, leaves=placement.text_leaves, by_block=placement.by_block).to(device)


def open_text_encoder(
    path: Path, variant: str | None = None, placement: Placement = PLAIN, *, tokenizer: Path
) -> Opened[TextTower]:
    """The same without its weights."""
    component = open_component(path, "text_encoder", variant)
    with naming(component.config_path):
        config = TextConfig.from_json(component.config)
    network = unfilled(component, lambda: build(config))
    network.rotary_emb = type(network.rotary_emb)(network.config)  # its tables are computed, so no file fills them
    tower = TextTower(network, load_tokenizer(tokenizer))
    stored = text_from_published(component.tensors)
    kept = quantize(tower, placement.quantize, stored_segments(plain_places(stored), stored))
    read = {name: tensor for name, tensor in stored.items() if name not in kept}
    return Opened(tower, component, lambda dtype: Reading(read, dtype).items(), read)


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
    stored = vision_from_published(component.tensors)
    return filled(Opened(tower, component, lambda dtype: Reading(stored, dtype).items()), dtype, device)


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


def quantize(network: nn.Module, name: str | None, segments: Mapping[str, list[Segment]]) -> set[str]:
    """Layers of this format in the network's blocks; returns which weights are then not to be decoded."""
    if name == STORED:
        return {f"{layer}.weight" for layer in keep_blocks(network, segments)}
    if name is not None:
        quantize_layers(network, name)
    return set()


def filled(
    opened: Opened[N],
    dtype: torch.dtype | None,
    device: torch.device | str,
    *,
    leaves: bool = False,
    by_block: bool = False,
) -> N:
    """A network with its weights, ready to run. Each is read when its turn comes, and leaves the CPU before the next.

    One that `leaves` the device between its uses, whole or `by_block`, has them elsewhere (its `home`), and is empty
    until `take_turns`.

    Raises:
        FileFormatError: They are broken, or do not fit; the message says whose they are.
    """
    network, home = opened.network, None
    if leaves:
        assert dtype is not None  # a pipeline has one
        home = Home(network, dtype, torch.device(device), by_block=by_block)
    with explaining(opened.component), large_blocks_given_back():
        weights = packed_weights(network, opened.weights(dtype), device)
        state = {name: tensor if home is None else home.put(name, tensor) for name, tensor in weights}
        load_into(network, state, opened.component.path)
        if opened.prepare is not None:
            opened.prepare(network)
    if home is not None:
        home.move_out(network)
        network.home = home  # type: ignore[assignment]
    return network.eval().requires_grad_(False)


def has_blocks(sources: Sources) -> bool:
    """Whether a file of the model has blocks of its own that can stay as they are."""
    return any(
        keeps_blocks(stored)
        for name, path in sources.components.items()
        for file in weight_files(path, sources.variant_of(name))
        for stored in open_weights(file).tensors.values()
    )


def take_turns(components: Any, device: torch.device) -> None:
    """Those networks of a model that have a home come to the device when they are used."""
    turns = Turns(device)
    for name, methods in USED_BY.items():
        network = getattr(components, name)
        if home := getattr(network, "home", None):
            turns.invite(network, home, methods, stays=name != "text")
