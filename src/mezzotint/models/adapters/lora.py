"""LoRA in a network: fused into its weights, or live beside them, and out again exactly.

Our matrices are published ones fused and reordered (each network's `state_dict.py`), so a change goes to some rows of
one of ours. Several changes of one matrix are each taken from the original weight and added: their order does not
matter. (PEFT lets a DoRA scale what stands before it as well, so there the order does.)
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mezzotint.errors import FileFormatError
from mezzotint.models import dual_stream, single_stream
from mezzotint.models.adapters.forms import Change
from mezzotint.models.adapters.lora_file import Lora
from mezzotint.models.dialects.z_image import original_name
from mezzotint.models.dual_stream import DualStreamTransformer
from mezzotint.models.fused_weights import Rows
from mezzotint.models.quantization import QuantizedLinear
from mezzotint.models.single_stream import SingleStreamTransformer

NAMED_AT_MOST = 3
WEIGHT = ".weight"
Layer = nn.Linear | QuantizedLinear
Placed = tuple[Rows, Change, float]
Network = SingleStreamTransformer | DualStreamTransformer


class Applied:
    """Changes in a network; `remove` takes them out, and every weight is the very tensor that it was."""

    def __init__(self, undo: Sequence[Callable[[], None]]) -> None:
        self._undo = list(undo)

    def remove(self) -> None:
        while self._undo:
            self._undo.pop()()


@torch.no_grad()
def apply_fused(network: Network, loras: Sequence[tuple[Lora, float]]) -> Applied:
    """Change the weights themselves: as fast as without; the originals are kept.

    Raises:
        FileFormatError: A LoRA is for another network.
    """
    undo = []
    for name, placed in _by_layer(network, loras).items():
        layer = _linear(network, name)
        assert isinstance(layer, nn.Linear)  # packed weights are left alone (`apply_live`)
        original = layer.weight
        changed = original.detach().clone()
        for rows, change, strength in placed:
            base = original[rows.start : rows.stop]
            changed[rows.start : rows.stop] += change.of(base, strength, rows.order).to(changed.dtype)
        layer.weight = nn.Parameter(changed, requires_grad=original.requires_grad)
        undo.append(_restoring(layer, original))
    return Applied(undo)


def apply_live(network: Network, loras: Sequence[tuple[Lora, float]]) -> Applied:
    """Add to the layers' outputs and leave the weights alone: for weights that must not change, or change often.

    A plain LoRA costs two thin products a layer; LoHa, LoKr and DoRA build their change anew at every call.

    Raises:
        FileFormatError: A LoRA is for another network.
    """
    handles = [
        _linear(network, name).register_forward_hook(_adding(placed))
        for name, placed in _by_layer(network, loras).items()
    ]
    return Applied([handle.remove for handle in handles])


def _linear(network: nn.Module, name: str) -> Layer:
    layer = network.get_submodule(name)
    assert isinstance(layer, nn.Linear | QuantizedLinear), name  # all matrices of this network are
    return layer


def _restoring(layer: nn.Linear, weight: Tensor) -> Callable[[], None]:
    def restore() -> None:
        layer.weight = weight  # type: ignore[assignment]

    return restore


def _adding(placed: Sequence[Placed]) -> Callable[[Layer, tuple[Tensor, ...], Tensor], Tensor]:
    def add(layer: Layer, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        output = output.clone()
        for rows, change, strength in placed:
            base = layer.weight[rows.start : rows.stop] if change.needs_weight else None
            output[..., rows.start : rows.stop] += change.forward(inputs[0], base, strength, rows.order)
        return output

    return add


def _by_layer(network: Network, loras: Sequence[tuple[Lora, float]]) -> dict[str, list[Placed]]:
    """For each of the network's layers what is to change in it."""
    places = _places(network)
    layers: dict[str, list[Placed]] = {}
    for lora, strength in loras:
        _check(lora, places, network)
        for name, change in lora.changes.items():
            rows = places[name]
            layers.setdefault(rows.parameter.removesuffix(WEIGHT), []).append((rows, change, strength))
    return layers


def _places(network: Network) -> dict[str, Rows]:
    """Where the matrix of each module lies, by its flat name in the layouts that are met."""
    if isinstance(network, DualStreamTransformer):
        places = dual_stream.matrix_rows(network.config)  # everybody uses the published names
    else:
        published = single_stream.matrix_rows(network.config)
        places = _in_original_layout(published) | published
    return {name.removesuffix(WEIGHT).replace(".", "_"): rows for name, rows in places.items()}


def _in_original_layout(published: Mapping[str, Rows]) -> dict[str, Rows]:
    """The same by Z-Image's original names, of which one stands for queries, keys and values."""
    original: dict[str, list[Rows]] = {}
    for name, rows in published.items():
        original.setdefault(original_name(name), []).append(rows)
    return {name: _together(parts) for name, parts in original.items()}


def _together(parts: Sequence[Rows]) -> Rows:
    """Neighbouring rows of one parameter as one matrix."""
    orders = [part.order + part.start - parts[0].start for part in parts]
    return Rows(parts[0].parameter, parts[0].start, parts[-1].stop, torch.cat(orders))


def _check(lora: Lora, places: Mapping[str, Rows], network: Network) -> None:
    """
    Raises:
        FileFormatError: It has modules that the network has not, or of other sizes.
    """
    unknown = [name for name in lora.changes if name not in places]
    if unknown:
        more = f" and {len(unknown) - NAMED_AT_MOST} more" if len(unknown) > NAMED_AT_MOST else ""
        share = "none" if len(unknown) == len(lora.changes) else f"only {len(lora.changes) - len(unknown)}"
        raise FileFormatError(
            f"{lora.path}: of the {len(lora.changes)} modules of this LoRA the network has {share}; "
            f"unknown are {', '.join(unknown[:NAMED_AT_MOST])}{more}"
        )
    for name, change in lora.changes.items():
        rows = places[name]
        columns = _linear(network, rows.parameter.removesuffix(WEIGHT)).in_features
        if change.form.shape != (rows.stop - rows.start, columns):
            shape = list(change.form.shape)
            raise FileFormatError(
                f"{lora.path}: {name} changes a matrix of {shape}, not {[rows.stop - rows.start, columns]}"
            )
    if not lora.changes:
        raise FileFormatError(f"{lora.path} holds no LoRA: it is empty")
