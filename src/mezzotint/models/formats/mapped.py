"""A file's bytes as tensors, memory-mapped: the kernel reads a page when it is looked at, and may forget it again."""

from __future__ import annotations

import mmap
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mezzotint.errors import FileFormatError

if TYPE_CHECKING:
    from torch import Tensor

ALIGNMENT = 8  # bytes of the widest dtype
# Of small tensors PyTorch's own: products of a single row round otherwise where a matrix begins elsewhere, and weights
# should give the same picture from any file. Copies of small ones cost nothing.
SMALL, SMALL_ALIGNMENT = 1 << 22, 64
NORESERVE = 0x4000  # Linux's MAP_NORESERVE, without which it refuses to map more than it has memory


class Buffer:
    """One file, mapped on first use. Its tensors keep the map alive; writing to one touches a copy only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _map(self) -> mmap.mmap:
        try:
            with self.path.open("rb") as file:
                if sys.platform == "linux":
                    flags, protection = mmap.MAP_PRIVATE | NORESERVE, mmap.PROT_READ | mmap.PROT_WRITE
                    return mmap.mmap(file.fileno(), 0, flags=flags, prot=protection)
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except (OSError, ValueError) as cause:
            raise FileFormatError(f"{self.path} cannot be read: {cause}") from cause

    def tensor(self, start: int, length: int) -> Tensor:
        """Bytes as a uint8 tensor; large ones without a copy where they lie so that any dtype can look at them.

        Raises:
            FileFormatError: The file has become shorter since its header was read.
        """
        import torch

        if start + length > len(self._map):
            raise FileFormatError(f"{self.path}: cut short since it was opened")
        if length == 0:
            return torch.empty(0, dtype=torch.uint8)
        data = torch.frombuffer(self._map, dtype=torch.uint8, count=length, offset=start)
        return data if is_shared(start, length) else data.clone()


def is_shared(start: int, length: int) -> bool:
    """Whether bytes of a file are looked at where they lie."""
    return start % (SMALL_ALIGNMENT if length < SMALL else ALIGNMENT) == 0
