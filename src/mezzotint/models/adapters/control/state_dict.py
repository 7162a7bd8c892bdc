"""The published names of a ControlNet's weights (diffusers' `ZImageControlNetModel`) and ours, which are fused."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from torch import Tensor

from mezzotint.models.adapters.control.config import ControlConfig
from mezzotint.models.fused_weights import Fusion, Part
from mezzotint.models.single_stream import SingleStreamConfig
from mezzotint.models.single_stream.state_dict import block_parts

T = TypeVar("T")
LAYERS, REFINER = "control_layers", "control_noise_refiner"


def published_shapes(config: ControlConfig, network: SingleStreamConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every published tensor of a ControlNet of these sizes."""
    return _fusion(config, network).published_shapes()


def stream_published(
    state: Mapping[str, Tensor], config: ControlConfig, network: SingleStreamConfig
) -> Iterator[tuple[str, Tensor]]:
    """Published weights under our names, fused, one after another.

    Raises:
        FileFormatError: A tensor is missing, unknown or of another shape.
    """
    return _fusion(config, network).stream_published(state)


def to_published(state: Mapping[str, Tensor], config: ControlConfig, network: SingleStreamConfig) -> dict[str, Tensor]:
    """Our weights, complete, as published tensors with memory of their own."""
    return _fusion(config, network).to_published(state)


def used(tensors: Mapping[str, T], config: ControlConfig) -> dict[str, T]:
    """Without the refiner that files of 2.0 carry and that was never trained."""
    dropped = f"{REFINER}." if config.refiner == "control_layers" else None
    return {name: tensor for name, tensor in tensors.items() if dropped is None or not name.startswith(dropped)}


def _fusion(config: ControlConfig, network: SingleStreamConfig) -> Fusion:
    """For each of our tensors the published ones that make it, top to bottom."""
    dim, patch = network.dim, config.patch_size**2 * config.in_channels
    refiner = [] if config.refiner == "control_layers" else [f"{REFINER}.{i}" for i in range(config.n_refiner_layers)]
    layers = [f"{LAYERS}.{i}" for i in range(len(config.places))]
    embedding, modulation = f"control_all_x_embedder.{config.patch_size}-1", "adaLN_modulation.0"
    layout = {
        "patch_embedding.weight": [Part(f"{embedding}.weight", (dim, patch))],
        "patch_embedding.bias": [Part(f"{embedding}.bias", (dim,))],
        "modulation.weight": [
            Part(f"{block}.{modulation}.weight", (4 * dim, network.time_dim)) for block in [*refiner, *layers]
        ],
        "modulation.bias": [Part(f"{block}.{modulation}.bias", (4 * dim,)) for block in [*refiner, *layers]],
    }
    layout |= _hinting("layers", layers, network)
    if config.refiner == "control_noise_refiner":
        layout |= _hinting("refiner", refiner, network)
    elif config.refiner == "alone":
        for i, block in enumerate(refiner):
            layout |= {f"refiner.{i}.{name}": parts for name, parts in block_parts(block, network)}
    return Fusion(layout, network.head_dim)


def _hinting(ours: str, blocks: list[str], network: SingleStreamConfig) -> dict[str, list[Part]]:
    """A stack of blocks with a projection before the first and one after each."""
    projections = {f"{ours}.before": f"{blocks[0]}.before_proj"}
    projections |= {f"{ours}.after.{i}": f"{block}.after_proj" for i, block in enumerate(blocks)}
    layout = {}
    for name, published in projections.items():
        layout[f"{name}.weight"] = [Part(f"{published}.weight", (network.dim, network.dim))]
        layout[f"{name}.bias"] = [Part(f"{published}.bias", (network.dim,))]
    for i, block in enumerate(blocks):
        layout |= {f"{ours}.blocks.{i}.{name}": parts for name, parts in block_parts(block, network)}
    return layout
