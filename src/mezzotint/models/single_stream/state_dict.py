"""The published names of the weights (diffusers' `ZImageTransformer2DModel`) and ours.

Beside the names three things differ. Ours are fused: one matrix for queries, keys and values, one for w1 and w3, one
for the modulations of all blocks. The channels of each query and key head stand in another order (`rotary.py`). Pad
tokens have no leading axis of one. So each of our tensors is some published ones, one below the other.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Int, Shaped
from torch import Tensor

from mezzotint.errors import FileFormatError
from mezzotint.models.single_stream.config import SingleStreamConfig
from mezzotint.models.single_stream.model import FREQUENCIES, TIME_HIDDEN
from mezzotint.models.single_stream.rotary import halves_to_pairs, pairs_to_halves

NAMED_AT_MOST = 3  # in an error's list


class Part(NamedTuple):
    """A published tensor: as it is, with its heads' channels reordered, or a single token."""

    name: str
    shape: tuple[int, ...]
    form: Literal["plain", "heads", "token"] = "plain"

    def to_ours(self, weight: Shaped[Tensor, "..."], config: SingleStreamConfig) -> Shaped[Tensor, "..."]:
        if self.form == "heads":
            return pairs_to_halves(weight, weight.shape[0] // config.head_dim)
        return weight[0] if self.form == "token" else weight

    def write(self, ours: Shaped[Tensor, "..."], weight: Shaped[Tensor, "..."], config: SingleStreamConfig) -> None:
        """`to_ours` of one of several parts into its place, without a copy of it in between."""
        if self.form == "heads":
            heads = weight.shape[0] // config.head_dim
            ours = rearrange(ours, "(head two pair) d -> head pair two d", head=heads, two=2)
            weight = rearrange(weight, "(head pair two) d -> head pair two d", head=heads, two=2)
        ours.copy_(weight)

    def to_published(self, weight: Shaped[Tensor, "..."], config: SingleStreamConfig) -> Shaped[Tensor, "..."]:
        if self.form == "heads":
            return halves_to_pairs(weight, weight.shape[0] // config.head_dim)
        return weight[None].clone() if self.form == "token" else weight.clone()


def published_shapes(config: SingleStreamConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every published tensor of a network of these sizes."""
    return {part.name: part.shape for parts in _layout(config).values() for part in parts}


def from_published(state: Mapping[str, Tensor], config: SingleStreamConfig) -> dict[str, Tensor]:
    """Published weights under our names, fused; those that stay as they are share memory with `state`.

    Raises:
        FileFormatError: A tensor is missing, unknown or of another shape.
    """
    return dict(stream_published(state, config))


def stream_published(state: Mapping[str, Tensor], config: SingleStreamConfig) -> Iterator[tuple[str, Tensor]]:
    """The same one after another, each tensor of `state` asked for once: a map that reads files stays lazy.

    Raises:
        FileFormatError: As `from_published`; a wrong shape when its turn comes.
    """
    expected = published_shapes(config)
    _refuse("missing", [name for name in expected if name not in state])
    _refuse("unknown", [name for name in state if name not in expected])
    for name, parts in _layout(config).items():
        if len(parts) == 1:
            yield name, parts[0].to_ours(_shaped(state, parts[0]), config)
            continue
        fused: Tensor | None = None
        start = 0
        for part in parts:
            weight = _shaped(state, part)
            if fused is None:
                fused = weight.new_empty(sum(part.shape[0] for part in parts), *weight.shape[1:])
            part.write(fused[start : start + len(weight)], weight, config)
            start += len(weight)
        assert fused is not None
        yield name, fused
        del fused


def _shaped(state: Mapping[str, Tensor], part: Part) -> Shaped[Tensor, "..."]:
    """A published tensor, if it has the shape that it must have."""
    weight = state[part.name]
    if tuple(weight.shape) != part.shape:
        _refuse("of a wrong shape", [f"{part.name} {tuple(weight.shape)} for {part.shape}"])
    return weight


def to_published(state: Mapping[str, Tensor], config: SingleStreamConfig) -> dict[str, Tensor]:
    """Our weights, complete, as published tensors with memory of their own."""
    published = {}
    for name, parts in _layout(config).items():
        rows = [part.shape[0] for part in parts]
        weights = [state[name]] if len(parts) == 1 else state[name].split(rows)
        for part, weight in zip(parts, weights, strict=True):
            published[part.name] = part.to_published(weight, config)
    return published


class Rows(NamedTuple):
    """Where a published matrix lies in ours: some rows of one parameter, and for each of them its published row."""

    parameter: str
    start: int
    stop: int
    order: Int[Tensor, "rows"]


def matrix_rows(config: SingleStreamConfig) -> dict[str, Rows]:
    """For the name of every published matrix that is a linear layer's weight, where it lies."""
    places = {}
    for name, parts in _layout(config).items():
        start = 0
        for part in parts:
            stop = start + part.shape[0]
            if part.name.endswith(".weight") and len(part.shape) == 2:
                places[part.name] = Rows(name, start, stop, part.to_ours(torch.arange(part.shape[0]), config))
            start = stop
    return places


def _refuse(fault: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
        raise FileFormatError(f"transformer weights: {', '.join(names[:NAMED_AT_MOST])}{more} {fault}")


def _layout(config: SingleStreamConfig) -> dict[str, list[Part]]:
    """For each of our tensors the published ones that make it, top to bottom."""
    dim, time, patch = config.dim, config.time_dim, config.patch_dim
    key = f"{config.patch_size}-1"
    modulated = [f"noise_refiner.{i}" for i in range(config.n_refiner_layers)]
    modulated += [f"layers.{i}" for i in range(config.n_layers)]
    layout = {
        "picture_pad": [Part("x_pad_token", (1, dim), "token")],
        "caption_pad": [Part("cap_pad_token", (1, dim), "token")],
        "caption_norm.weight": [Part("cap_embedder.0.weight", (config.cap_feat_dim,))],
        "modulation.weight": [Part(f"{block}.adaLN_modulation.0.weight", (4 * dim, time)) for block in modulated],
        "modulation.bias": [Part(f"{block}.adaLN_modulation.0.bias", (4 * dim,)) for block in modulated],
    }
    for ours, published, fan_out, fan_in in (
        ("patch_embedding", f"all_x_embedder.{key}", dim, patch),
        ("caption_embedding", "cap_embedder.1", dim, config.cap_feat_dim),
        ("time_embedding.hidden", "t_embedder.mlp.0", TIME_HIDDEN, 2 * FREQUENCIES),
        ("time_embedding.out", "t_embedder.mlp.2", time, TIME_HIDDEN),
        ("final_modulation", f"all_final_layer.{key}.adaLN_modulation.1", dim, time),
        ("final_layer", f"all_final_layer.{key}.linear", patch, dim),
    ):
        layout[f"{ours}.weight"] = [Part(f"{published}.weight", (fan_out, fan_in))]
        layout[f"{ours}.bias"] = [Part(f"{published}.bias", (fan_out,))]
    for block in [*modulated, *(f"context_refiner.{i}" for i in range(config.n_refiner_layers))]:
        layout |= {f"{block}.{name}": parts for name, parts in _block(block, config)}
    return layout


def _block(block: str, config: SingleStreamConfig) -> Iterator[tuple[str, list[Part]]]:
    """The tensors of one block, named from the block on."""
    dim, head, hidden = config.dim, config.head_dim, config.hidden_dim
    yield (
        "attention.qkv.weight",
        [
            Part(f"{block}.attention.to_q.weight", (dim, dim), "heads"),
            Part(f"{block}.attention.to_k.weight", (dim, dim), "heads"),
            Part(f"{block}.attention.to_v.weight", (dim, dim)),
        ],
    )
    yield "attention.out.weight", [Part(f"{block}.attention.to_out.0.weight", (dim, dim))]
    yield "attention.norm_q", [Part(f"{block}.attention.norm_q.weight", (head,), "heads")]
    yield "attention.norm_k", [Part(f"{block}.attention.norm_k.weight", (head,), "heads")]
    yield "feed_forward.w13.weight", [Part(f"{block}.feed_forward.{w}.weight", (hidden, dim)) for w in ("w1", "w3")]
    yield "feed_forward.w2.weight", [Part(f"{block}.feed_forward.w2.weight", (dim, hidden))]
    yield "attention_norm_in", [Part(f"{block}.attention_norm1.weight", (dim,))]
    yield "attention_norm_out", [Part(f"{block}.attention_norm2.weight", (dim,))]
    yield "feed_forward_norm_in", [Part(f"{block}.ffn_norm1.weight", (dim,))]
    yield "feed_forward_norm_out", [Part(f"{block}.ffn_norm2.weight", (dim,))]
