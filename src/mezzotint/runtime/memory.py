"""What the C library's allocator does with the memory that large tensors leave."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
MIB = 1 << 20


@contextmanager
def large_blocks_given_back() -> Iterator[None]:
    """While many large tensors come and go: what they leave goes back to the system at once (glibc; else nothing).

    By itself glibc keeps freed blocks of up to 32 MiB for the next one, and before 2.38 an aligned block, as PyTorch
    asks for, does not fit where an equal one was (sourceware.org bug 14581): a network of 12 GB that streams to another
    device left 4 GB behind. Afterwards the limits are those at which glibc's own adjustment ends.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    mallopt(M_MMAP_THRESHOLD, MIB)
    try:
        yield
    finally:
        mallopt(M_MMAP_THRESHOLD, 32 * MIB)
        mallopt(M_TRIM_THRESHOLD, 64 * MIB)
