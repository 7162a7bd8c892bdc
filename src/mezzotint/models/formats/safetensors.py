"""safetensors files: the header read with bounds and without torch, the tensors memory-mapped.

A file is 8 bytes of header length (little endian), a JSON header that maps each tensor's name to its dtype, shape and
place, then the tensors' bytes. The reader trusts none of it: the `inspect` verb and every loader go through here first,
so that a broken or hostile file ends in one line that says what is wrong with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.formats.mapped import Buffer, is_shared
from mezzotint.models.formats.stored import Outgoing, Read, StoredTensor, WeightsFile
from mezzotint.runtime import atomic

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MAX_HEADER_BYTES = 16_000_000  # 100,000 tensors; the format's library takes 100 MB, which as JSON can fill 3 GB
MAX_TENSORS = 100_000

# Bits of one element.
DTYPE_BITS = {
    "F4": 4,
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a file: its dtype as the format names it, its shape, and its bytes' place after the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """What a file says about itself."""

    tensors: dict[str, TensorEntry]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """The checked header of a safetensors file: every tensor lies inside the file, none overlap, no byte is left over.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: The file is cut short, or its header is not what the format allows.
    """
    raw, data_bytes = _header_bytes(path)
    try:
        content = json.loads(raw, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as cause:
        raise FileFormatError(f"{path}: the header is not valid JSON ({cause})") from cause
    if not isinstance(content, dict):
        raise FileFormatError(f"{path}: the header is a JSON {type(content).__name__}, not an object")
    metadata = content.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise FileFormatError(f"{path}: the header's __metadata__ is not a map of strings")
    if len(content) > MAX_TENSORS:
        raise FileFormatError(f"{path}: {len(content)} tensors; at most {MAX_TENSORS} are read")
    tensors = {name: _entry(path, name, fields) for name, fields in content.items()}
    _check_coverage(path, tensors, data_bytes)
    return Header(tensors, metadata)


def _header_bytes(path: Path) -> tuple[bytes, int]:
    """The header, and how many bytes of tensors follow it."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size < 8:
                raise FileFormatError(f"{path}: {size} bytes are too few for a safetensors file")
            length = int.from_bytes(file.read(8), "little")
            if length > MAX_HEADER_BYTES:
                raise FileFormatError(f"{path}: not a safetensors file, or a hostile one (a header of {length} bytes)")
            if length > size - 8:
                raise FileFormatError(f"{path}: cut short (the header has {length} bytes, the file only {size})")
            return file.read(length), size - 8 - length
    except FileNotFoundError as cause:
        raise MissingFileError(f"{path} is missing") from cause
    except OSError as cause:
        raise FileFormatError(f"{path} cannot be read: {cause.strerror}") from cause


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name stands twice")
    return content


def _entry(path: Path, name: str, fields: Any) -> TensorEntry:
    where = f"{path}: tensor {name!r}"
    match fields:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [start, end]}:
            pass
        case _:
            raise FileFormatError(f"{where} does not have the fields dtype, shape and data_offsets")
    if dtype not in DTYPE_BITS:
        raise FileFormatError(f"{where} has the unknown dtype {dtype!r}")
    if not _counts(shape) or len(shape) > 64:
        raise FileFormatError(f"{where} has the impossible shape {shape}"[:300])
    if not _counts([start, end]) or end < start:
        raise FileFormatError(f"{where} has the impossible place {[start, end]}"[:300])
    entry = TensorEntry(dtype, tuple(shape), start, end)
    if entry.elements * DTYPE_BITS[dtype] != (end - start) * 8:
        raise FileFormatError(f"{where} has {end - start} bytes, which is not {dtype} {list(shape)}"[:300])
    return entry


def _counts(numbers: Iterable[Any]) -> bool:
    return all(type(number) is int and 0 <= number < 2**63 for number in numbers)


def _check_coverage(path: Path, tensors: dict[str, TensorEntry], data_bytes: int) -> None:
    end = 0
    for name, entry in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start != end:
            raise FileFormatError(f"{path}: tensor {name!r} overlaps another or leaves a gap before it (byte {end})")
        end = entry.end
    if end > data_bytes:
        raise FileFormatError(f"{path}: cut short (its tensors need {end} bytes, {data_bytes} are there)")
    if end < data_bytes:
        raise FileFormatError(f"{path}: {data_bytes - end} bytes belong to no tensor")


# Reading ------------------------------------------------------------------------------------------

# torch's name of a dtype, for what it can hold.
TORCH_NAMES = {
    "BOOL": "bool",
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
}


def open_safetensors(path: Path) -> WeightsFile:
    """The tensors of a file, memory-mapped when the first of them is read.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is broken.
    """
    header = read_header(path)
    buffer = Buffer(path)
    offset = path.stat().st_size - sum(entry.end - entry.start for entry in header.tensors.values())
    tensors = {
        name: StoredTensor(
            entry.dtype,
            entry.shape,
            entry.end - entry.start,
            _reader(path, name, buffer, entry, offset + entry.start),
            mapped=is_shared(offset + entry.start, entry.end - entry.start),
        )
        for name, entry in header.tensors.items()
    }
    return WeightsFile(path, "safetensors", tensors, header.metadata)


def _reader(path: Path, name: str, buffer: Buffer, entry: TensorEntry, start: int) -> Read:
    def read(dtype: torch.dtype | None) -> Tensor:
        import torch

        if entry.dtype not in TORCH_NAMES:
            raise FileFormatError(f"{path}: tensor {name!r} is {entry.dtype}, which cannot be read here")
        own = getattr(torch, TORCH_NAMES[entry.dtype])
        tensor = buffer.tensor(start, entry.end - entry.start).view(own).view(entry.shape)
        return tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor

    return read


# Writing ------------------------------------------------------------------------------------------


def write_safetensors(path: Path, tensors: Mapping[str, Outgoing], metadata: Mapping[str, str]) -> None:
    """Write a file; only one tensor is in memory at a time.

    Raises:
        OutputError: It cannot be written.
    """
    import torch

    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    widest_first = sorted(tensors, key=lambda name: (-DTYPE_BITS[tensors[name].dtype], name))  # so that all are aligned
    for name in widest_first:
        dtype, shape = tensors[name].dtype, tensors[name].shape
        start, end = end, end + math.prod(shape) * DTYPE_BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    raw = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    with atomic.file(path) as temporary, temporary.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        for name in widest_first:
            tensor = tensors[name].make().to(getattr(torch, TORCH_NAMES[tensors[name].dtype])).contiguous().flatten()
            file.write(tensor.view(torch.uint8).numpy().data)
