"""How much memory there is, and what the C library's allocator does with what large tensors leave."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
MIB = 1 << 20
KEPT = 64 * MIB  # that glibc keeps of what was freed, at most


@contextmanager
def large_blocks_given_back() -> Iterator[None]:
    """While many large tensors come and go: what they leave goes back to the system at once (glibc; else nothing).

    By itself glibc keeps freed blocks of up to 32 MiB for the next one, and before 2.38 an aligned block, as PyTorch
    asks for, does not fit where an equal one was (sourceware.org bug 14581): a network of 12 GB that streams to another
    device left 4 GB behind. Afterwards the limits are those at which glibc's own adjustment ends.
    """
    mallopt = _mallopt()
    if mallopt is None:
        yield
        return
    mallopt(M_MMAP_THRESHOLD, MIB)
    try:
        yield
    finally:
        keep_freed_blocks()


def keep_freed_blocks() -> None:
    """Set glibc's limits to where its own adjustment ends: freed blocks of up to 32 MiB stay for the next ones.

    Until it has adjusted itself it hands them back, and the system clears each page again for the next array: a tenth
    to a fifth of the time of measuring a picture.
    """
    if (mallopt := _mallopt()) is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * MIB)
        mallopt(M_TRIM_THRESHOLD, KEPT)


def _mallopt() -> Callable[[int, int], int] | None:
    return getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None


def free_bytes(device: "torch.device") -> int:
    """What a device's memory still has room for; of a processor's, what Linux calls available, else half of all."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    table = Path("/proc/meminfo")
    if table.is_file():
        (line,) = (line for line in table.read_text().splitlines() if line.startswith("MemAvailable"))
        return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def used_bytes(device: "torch.device") -> int:
    """What this process has of a device's memory; of a processor's, what is in no file (Linux; else 0)."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.memory_allocated(device))
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024
