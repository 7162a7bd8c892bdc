"""Between published weights and ours where ours are fused: several published tensors, one below the other, are one.

A network's `state_dict.py` says which (its `Fusion`); everything else about reading and writing them is here.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Int, Shaped
from torch import Tensor

from mezzotint.errors import FileFormatError
from mezzotint.models.rotary import halves_to_pairs, pairs_to_halves

NAMED_AT_MOST = 3  # in an error's list


class Part(NamedTuple):
    """A published tensor: as it is, with its heads' channels reordered (`rotary.py`), or a single token."""

    name: str
    shape: tuple[int, ...]
    form: Literal["plain", "heads", "token"] = "plain"

    def to_ours(self, weight: Shaped[Tensor, "..."], head_dim: int) -> Shaped[Tensor, "..."]:
        if self.form == "heads":
            return pairs_to_halves(weight, weight.shape[0] // head_dim)
        return weight[0] if self.form == "token" else weight

    def write(self, ours: Shaped[Tensor, "..."], weight: Shaped[Tensor, "..."], head_dim: int) -> None:
        """`to_ours` of one of several parts into its place, without a copy of it in between."""
        if self.form == "heads":
            heads = weight.shape[0] // head_dim
            ours = rearrange(ours, "(head two pair) ... -> head pair two ...", head=heads, two=2)
            weight = rearrange(weight, "(head pair two) ... -> head pair two ...", head=heads, two=2)
        ours.copy_(weight)

    def to_published(self, weight: Shaped[Tensor, "..."], head_dim: int) -> Shaped[Tensor, "..."]:
        if self.form == "heads":
            return halves_to_pairs(weight, weight.shape[0] // head_dim)
        return weight[None].clone() if self.form == "token" else weight.clone()


class Rows(NamedTuple):
    """Where a published matrix lies in ours: some rows of one parameter, and for each of them its published row."""

    parameter: str
    start: int
    stop: int
    order: Int[Tensor, "rows"]


@dataclass(frozen=True)
class Fusion:
    """For each of our tensors the published ones that make it, top to bottom; `head_dim` is the width of a head."""

    parts: Mapping[str, list[Part]]
    head_dim: int

    def published_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every published tensor."""
        return {part.name: part.shape for parts in self.parts.values() for part in parts}

    def stream_published(
        self, state: Mapping[str, Tensor], without: Collection[str] = ()
    ) -> Iterator[tuple[str, Tensor]]:
        """Published weights under our names, fused, one after another, each tensor of `state` asked for once.

        A map that reads files stays lazy; of those of our names that are in `without` nothing is read. Tensors that
        stay as they are share memory with `state`.

        Raises:
            FileFormatError: A tensor is missing or unknown; a wrong shape when its turn comes.
        """
        expected = self.published_shapes()
        _refuse("missing", [name for name in expected if name not in state])
        _refuse("unknown", [name for name in state if name not in expected])
        for name, parts in self.parts.items():
            if name in without:
                continue
            if len(parts) == 1:
                yield name, parts[0].to_ours(_shaped(state, parts[0]), self.head_dim)
                continue
            fused: Tensor | None = None
            start = 0
            for part in parts:
                weight = _shaped(state, part)
                if fused is None:
                    fused = weight.new_empty(sum(part.shape[0] for part in parts), *weight.shape[1:])
                part.write(fused[start : start + len(weight)], weight, self.head_dim)
                start += len(weight)
            assert fused is not None
            yield name, fused
            del fused

    def to_published(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Our weights, complete, as published tensors with memory of their own."""
        published = {}
        for name, parts in self.parts.items():
            rows = [part.shape[0] for part in parts]
            weights = [state[name]] if len(parts) == 1 else state[name].split(rows)
            for part, weight in zip(parts, weights, strict=True):
                published[part.name] = part.to_published(weight, self.head_dim)
        return published

    def as_they_are(self) -> dict[str, str]:
        """Those of our names whose tensor is a published one unchanged, and its name."""
        return {
            name: parts[0].name for name, parts in self.parts.items() if len(parts) == 1 and parts[0].form != "heads"
        }

    def matrix_rows(self) -> dict[str, Rows]:
        """For the name of every published matrix that is a linear layer's weight, where it lies."""
        places = {}
        for name, parts in self.parts.items():
            start = 0
            for part in parts:
                stop = start + part.shape[0]
                if part.name.endswith(".weight") and len(part.shape) == 2:
                    order = part.to_ours(torch.arange(part.shape[0]), self.head_dim)
                    places[part.name] = Rows(name, start, stop, order)
                start = stop
        return places


def _shaped(state: Mapping[str, Tensor], part: Part) -> Shaped[Tensor, "..."]:
    """A published tensor, if it has the shape that it must have."""
    weight = state[part.name]
    if tuple(weight.shape) != part.shape:
        _refuse("of a wrong shape", [f"{part.name} {tuple(weight.shape)} for {part.shape}"])
    return weight


def _refuse(fault: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
        raise FileFormatError(f"weights: {', '.join(names[:NAMED_AT_MOST])}{more} {fault}")
