"""A tensor that still lies in its file: what is known of it without reading it, and how to read it.

Files become maps from names to stored tensors, whatever their format; what then renames, cuts or joins them works on
the descriptions, so that nothing is read before a network asks for it. Nothing here imports torch until then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Read = Callable[["torch.dtype | None"], "Tensor"]


@dataclass(frozen=True)
class StoredTensor:
    """One tensor, unread.

    Attributes:
        dtype: As its format names it: F32, BF16, F8_E4M3, Q4_K, …
        shape: As the network sees it. nbytes: Its size in the file.
        read: Reads it: a floating one in the dtype that is given, without one in its own; a quantised one has none of
            its own and reads as fp32. The result may share memory with the file: it is not to be written to.
        packed: Reads the blocks of a quantised one as they are, "rows bytes"; None where rows are no whole blocks.
        mapped: Whether what is read in its own dtype is the file itself, mapped, and takes no memory.
    """

    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    read: Read = field(repr=False, compare=False)
    packed: Callable[[], Tensor] | None = field(default=None, repr=False, compare=False)
    mapped: bool = field(default=False, repr=False, compare=False)

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def rows(self, start: int, stop: int) -> StoredTensor:
        """Some of its rows."""
        shape = (stop - start, *self.shape[1:])
        nbytes = self.nbytes * (stop - start) // max(1, self.shape[0])
        packed = self.packed
        some = None if packed is None else lambda: packed()[start:stop]
        return StoredTensor(self.dtype, shape, nbytes, lambda dtype: self.read(dtype)[start:stop], some)

    def reshaped(self, shape: tuple[int, ...]) -> StoredTensor:
        """The same numbers in another shape."""
        return StoredTensor(self.dtype, shape, self.nbytes, lambda dtype: self.read(dtype).reshape(shape))


def joined(parts: Sequence[StoredTensor]) -> StoredTensor:
    """Tensors one below the other; of unequal dtypes, what PyTorch promotes them to."""
    if len(parts) == 1:
        return parts[0]

    def read(dtype: torch.dtype | None) -> Tensor:
        import torch

        return torch.cat([part.read(dtype) for part in parts])

    shape = (sum(part.shape[0] for part in parts), *parts[0].shape[1:])
    return StoredTensor(parts[0].dtype, shape, sum(part.nbytes for part in parts), read)


class Outgoing(NamedTuple):
    """A tensor to write: its dtype in the file, its shape, and what makes it when its turn comes."""

    dtype: str
    shape: tuple[int, ...]
    make: Callable[[], Tensor]


@dataclass(frozen=True)
class WeightsFile:
    """What a file of weights holds.

    Attributes:
        format: safetensors or gguf. tensors: In the file's order. metadata: The file's own notes.
    """

    path: Path
    format: str
    tensors: dict[str, StoredTensor]
    metadata: dict[str, str]


class Reading(Mapping[str, "Tensor"]):
    """Stored tensors as a map of tensors, each read when it is asked for and kept by nobody."""

    def __init__(self, stored: Mapping[str, StoredTensor], dtype: torch.dtype | None = None) -> None:
        self.stored, self.dtype = stored, dtype

    def __getitem__(self, name: str) -> Tensor:
        return self.stored[name].read(self.dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)
