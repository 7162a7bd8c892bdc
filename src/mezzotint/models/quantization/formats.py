"""Which layers of a network are quantised, and how their weights come into them, one matrix after another."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.models.formats import StoredTensor
from mezzotint.models.fused_weights import Rows
from mezzotint.models.quantization.eight_bits import (
    DynamicFloat8Linear,
    DynamicInt8Linear,
    Float8Linear,
    Int8Linear,
)
from mezzotint.models.quantization.four_bits import Int4Linear, NormalFloat4Linear
from mezzotint.models.quantization.linear import PackedLinear
from mezzotint.models.quantization.low_rank import LowRankLinear
from mezzotint.models.quantization.stored_blocks import Segment, StoredBlocksLinear, keeps_blocks

FORMATS: dict[str, type[PackedLinear]] = {
    "int8": Int8Linear,
    "int8-dynamic": DynamicInt8Linear,
    "fp8": Float8Linear,
    "fp8-dynamic": DynamicFloat8Linear,
    "int4": Int4Linear,
    "nf4": NormalFloat4Linear,
    "svdquant": LowRankLinear,
}
STORED = "gguf"  # a file's own blocks
NAMES = (*FORMATS, STORED)
WEIGHT = ".weight"


def check_format(name: str | None) -> None:
    """
    Raises:
        InputError: There is no such format.
    """
    if name is not None and name not in NAMES:
        raise InputError(f"there is no quantisation {name!r}: there are {', '.join(NAMES)}")


def quantizable(network: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers of a network's blocks, where nearly all of its weights are, by their names."""
    stacks = [name for name, module in network.named_modules() if isinstance(module, nn.ModuleList)]
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and any(name.startswith(f"{stack}.") for stack in stacks)
    }


def quantize_layers(network: nn.Module, name: str) -> None:
    """Put layers of a format of `FORMATS` in their places; their buffers are empty, on the network's device.

    Raises:
        InputError: There is no such format.
    """
    check_format(name)
    for layer, linear in quantizable(network).items():
        with linear.weight.device:
            packed = FORMATS[name](linear.in_features, linear.out_features, linear.bias is not None)
        network.set_submodule(layer, packed)


def keep_blocks(network: nn.Module, segments: Mapping[str, list[Segment]]) -> set[str]:
    """Put layers that keep a file's blocks in the places of those whose `segments` are given by their name.

    Returns: the names of these layers. What else has segments, such as an embedding, is to be decoded.
    """
    kept = set()
    for layer, linear in quantizable(network).items():
        if layer in segments:
            with linear.weight.device:
                packed = StoredBlocksLinear(
                    linear.in_features, linear.out_features, linear.bias is not None, segments[layer]
                )
            network.set_submodule(layer, packed)
            kept.add(layer)
    return kept


def stored_segments(places: Mapping[str, Rows], stored: Mapping[str, StoredTensor]) -> dict[str, list[Segment]]:
    """For each of a network's layers the matrices of a file that make it, where all of them are blocks.

    `places` says of each published matrix where it lies (`fused_weights.Fusion.matrix_rows`).
    """
    segments: dict[str, list[Segment]] = {}
    mixed = set()
    for published, rows in places.items():
        layer = rows.parameter.removesuffix(WEIGHT)
        if published not in stored or not keeps_blocks(stored[published]):
            mixed.add(layer)
            continue
        is_same = torch.equal(rows.order, torch.arange(len(rows.order)))
        segment = Segment(stored[published], range(rows.start, rows.stop), None if is_same else rows.order)
        segments.setdefault(layer, []).append(segment)
    return {layer: parts for layer, parts in segments.items() if layer not in mixed}


def plain_places(stored: Mapping[str, StoredTensor]) -> dict[str, Rows]:
    """`places` of a network whose layers are the file's matrices."""
    return {
        name: Rows(name, 0, tensor.shape[0], torch.arange(tensor.shape[0]))
        for name, tensor in stored.items()
        if name.endswith(WEIGHT) and len(tensor.shape) == 2
    }


def packed_weights(
    network: nn.Module, weights: Iterable[tuple[str, Tensor]], device: torch.device | str
) -> Iterator[tuple[str, Tensor]]:
    """Weights on their device, those of quantised layers packed, each when its turn comes."""
    modules = dict(network.named_modules())
    for name, tensor in weights:
        layer = modules.get(name.removesuffix(WEIGHT)) if name.endswith(WEIGHT) else None
        if isinstance(layer, PackedLinear):
            packed = layer.pack(tensor.to(device))
            yield from ((f"{name.removesuffix('weight')}{buffer}", part) for buffer, part in packed.items())
            del packed
        else:
            yield name, tensor.to(device)
    for name, module in network.named_modules():
        if isinstance(module, StoredBlocksLinear):
            yield from ((f"{name}.{buffer}", part.to(device)) for buffer, part in module.read().items())
