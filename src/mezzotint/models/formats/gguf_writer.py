"""Writing GGUF files tensor by tensor: Q8_0, Q4_0 and plain floats."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from mezzotint.models.formats.gguf import (
    ARRAY,
    DEFAULT_ALIGNMENT,
    ENCODINGS,
    MAGIC,
    MAX_AXES,
    ORIGINAL_SHAPE,
    STRING,
)
from mezzotint.models.formats.stored import Outgoing
from mezzotint.runtime import atomic

INT32 = 5
NUMBERS = {encoding.name: number for number, encoding in ENCODINGS.items()}


def write_gguf(path: Path, tensors: Mapping[str, Outgoing], metadata: Mapping[str, str]) -> None:
    """Write a file; only one tensor is in memory at a time.

    GGUF knows four axes: a tensor of more has its last ones folded into one, and its shape noted as ComfyUI does.

    Raises:
        OutputError: It cannot be written.
    """
    from mezzotint.models.formats.blocks import encode

    with atomic.file(path) as temporary, temporary.open("wb") as file:
        shapes = {name: _folded(tensor.shape) for name, tensor in tensors.items()}
        folded = {name: tensor.shape for name, tensor in tensors.items() if tensor.shape != shapes[name]}
        file.write(MAGIC + struct.pack("<IQQ", 3, len(tensors), len(metadata) + len(folded)))
        for key, value in metadata.items():
            file.write(_string(key) + struct.pack("<I", STRING) + _string(value))
        for name, shape in folded.items():
            note = struct.pack(f"<IIQ{len(shape)}i", ARRAY, INT32, len(shape), *shape)
            file.write(_string(ORIGINAL_SHAPE + name) + note)
        offset = 0
        for name, tensor in tensors.items():
            shape = shapes[name]
            axes = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
            file.write(_string(name) + axes + struct.pack("<IQ", NUMBERS[tensor.dtype], offset))
            encoding = ENCODINGS[NUMBERS[tensor.dtype]]
            nbytes = math.prod(tensor.shape) // encoding.block * encoding.nbytes
            offset += nbytes + -nbytes % DEFAULT_ALIGNMENT
        _pad(file)
        for tensor in tensors.values():
            file.write(encode(tensor.make(), tensor.dtype).numpy().data)
            _pad(file)


def _folded(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if len(shape) <= MAX_AXES else (*shape[: MAX_AXES - 1], math.prod(shape[MAX_AXES - 1 :]))


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _pad(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % DEFAULT_ALIGNMENT))
