"""Writing GGUF files tensor by tensor: Q8_0, Q4_0 and plain floats."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from mezzotint.models.formats.gguf import DEFAULT_ALIGNMENT, ENCODINGS, MAGIC, STRING
from mezzotint.models.formats.stored import Outgoing
from mezzotint.runtime import atomic

NUMBERS = {encoding.name: number for number, encoding in ENCODINGS.items()}


def write_gguf(path: Path, tensors: Mapping[str, Outgoing], metadata: Mapping[str, str]) -> None:
    """Write a file; only one tensor is in memory at a time.

    Raises:
        OutputError: It cannot be written.
    """
    from mezzotint.models.formats.blocks import encode

    with atomic.file(path) as temporary, temporary.open("wb") as file:
        file.write(MAGIC + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
        for key, value in metadata.items():
            file.write(_string(key) + struct.pack("<I", STRING) + _string(value))
        offset = 0
        for name, tensor in tensors.items():
            axes = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *reversed(tensor.shape))
            file.write(_string(name) + axes + struct.pack("<IQ", NUMBERS[tensor.dtype], offset))
            encoding = ENCODINGS[NUMBERS[tensor.dtype]]
            nbytes = math.prod(tensor.shape) // encoding.block * encoding.nbytes
            offset += nbytes + -nbytes % DEFAULT_ALIGNMENT
        _pad(file)
        for tensor in tensors.values():
            file.write(encode(tensor.make(), tensor.dtype).numpy().data)
            _pad(file)


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _pad(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % DEFAULT_ALIGNMENT))
