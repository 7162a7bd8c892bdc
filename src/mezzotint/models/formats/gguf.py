"""GGUF files: the header read with bounds and without torch, the tensors memory-mapped and dequantised when read.

A file is the magic word, a version, two counts, key-value pairs, one entry for each tensor (name, axes with the fastest
first, type, place), then the tensors' bytes, each at a multiple of the alignment (github.com/ggml-org/ggml,
docs/gguf.md). As with safetensors the reader trusts nothing.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.formats.mapped import Buffer
from mezzotint.models.formats.stored import Read, StoredTensor, WeightsFile

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MAX_HEADER_BYTES = 64_000_000
MAX_ENTRIES = 100_000  # tensors, and pairs of metadata; the largest models have some thousands
MAX_AXES = 4
MAX_LISTED = 64  # items of an array that is kept; a tokenizer's hundred thousand are passed over
ORIGINAL_SHAPE = "comfy.gguf.orig_shape."  # of a tensor that its writer folded to suit the quantisation


class Encoding(NamedTuple):
    """How a type lays numbers out: so many in a block of so many bytes."""

    name: str
    block: int
    nbytes: int


# Type number, name, numbers and bytes of a block.
_TABLE = """\
0 F32 1 4     1 F16 1 2       28 F64 1 8        30 BF16 1 2
24 I8 1 1     25 I16 1 2      26 I32 1 4        27 I64 1 8
2 Q4_0 32 18  3 Q4_1 32 20    6 Q5_0 32 22      7 Q5_1 32 24     8 Q8_0 32 34     9 Q8_1 32 40
10 Q2_K 256 84  11 Q3_K 256 110  12 Q4_K 256 144  13 Q5_K 256 176  14 Q6_K 256 210  15 Q8_K 256 292
16 IQ2_XXS 256 66  17 IQ2_XS 256 74  18 IQ3_XXS 256 98  19 IQ1_S 256 50   20 IQ4_NL 32 18
21 IQ3_S 256 110   22 IQ2_S 256 82   23 IQ4_XS 256 136  29 IQ1_M 256 56
34 TQ1_0 256 54    35 TQ2_0 256 66   39 MXFP4 32 17     40 NVFP4 64 36    41 Q1_0 128 18
"""
_FIELDS = _TABLE.split()
ENCODINGS = {
    int(number): Encoding(name, int(block), int(nbytes))
    for number, name, block, nbytes in zip(*(_FIELDS[i::4] for i in range(4)), strict=True)
}
SCALARS = dict(enumerate(("B", "b", "H", "h", "I", "i", "f", "?"))) | {10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


def open_gguf(path: Path) -> WeightsFile:
    """The tensors of a file, memory-mapped when the first of them is read.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is broken, of another version, or has a type that nobody knows.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_HEADER_BYTES)
            size = file.seek(0, 2)
    except FileNotFoundError as cause:
        raise MissingFileError(f"{path} is missing") from cause
    except OSError as cause:
        raise FileFormatError(f"{path} cannot be read: {cause.strerror}") from cause
    cursor = _Cursor(path, raw)
    metadata, entries = _header(cursor)
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(alignment) is not int or alignment < 1 or alignment & (alignment - 1):
        raise FileFormatError(f"{path}: the alignment {alignment!r} is no power of two")
    start = cursor.place + -cursor.place % alignment
    _check_places(path, entries, size - start, alignment)
    buffer = Buffer(path)
    tensors = {}
    for name, entry in entries.items():
        shape = _original_shape(path, name, entry, metadata)
        read = _reader(path, name, buffer, entry, start + entry.offset, shape)
        packed = _packed(buffer, entry, start + entry.offset) if shape == entry.shape else None
        tensors[name] = StoredTensor(entry.encoding.name, shape, entry.nbytes, read, packed)
    return WeightsFile(path, "gguf", tensors, {key: str(value) for key, value in metadata.items()})


@dataclass(frozen=True)
class _Entry:
    encoding: Encoding
    shape: tuple[int, ...]  # slowest axis first, as everywhere else
    offset: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) // self.encoding.block * self.encoding.nbytes


class _Cursor:
    """A place in the header; moving beyond what is there is the file's fault."""

    def __init__(self, path: Path, raw: bytes) -> None:
        self.path, self.raw, self.place = path, raw, 0

    def take(self, form: str) -> Any:
        """One number."""
        self.check(struct.calcsize(f"<{form}"))
        (value,) = struct.unpack_from(f"<{form}", self.raw, self.place)
        self.place += struct.calcsize(f"<{form}")
        return value

    def string(self) -> str:
        length = self.take("Q")
        self.check(length)
        self.place += length
        return self.raw[self.place - length : self.place].decode(errors="replace")

    def count(self, smallest: int) -> int:
        """How many things follow, each of at least so many bytes."""
        number = self.take("Q")
        self.check(number * smallest)
        return int(number)

    def check(self, length: int) -> None:
        if length > len(self.raw) - self.place:
            raise FileFormatError(f"{self.path}: cut short, or its header is broken (byte {self.place})")

    def value(self, kind: int) -> Any:
        """A scalar, a string, or a short list; a long one is only counted."""
        if kind == STRING:
            return self.string()
        if kind in SCALARS:
            return self.take(SCALARS[kind])
        if kind != ARRAY:
            raise FileFormatError(f"{self.path}: metadata of the unknown type {kind}")
        item = self.take("I")
        if item == ARRAY:
            raise FileFormatError(f"{self.path}: lists inside lists are not read")
        if item not in SCALARS:
            items = [self.value(item) for _ in range(self.count(8))]
            return items if len(items) <= MAX_LISTED else f"{len(items)} items"
        width = struct.calcsize(f"<{SCALARS[item]}")
        number = self.count(width)
        if number <= MAX_LISTED:
            return [self.take(SCALARS[item]) for _ in range(number)]
        self.place += number * width
        return f"{number} items"


def _header(cursor: _Cursor) -> tuple[dict[str, Any], dict[str, _Entry]]:
    if cursor.raw[:4] != MAGIC:
        raise FileFormatError(f"{cursor.path}: not a GGUF file")
    cursor.place = 4
    version = cursor.take("I")
    if version not in VERSIONS:
        raise FileFormatError(f"{cursor.path}: GGUF version {version}; {' and '.join(map(str, VERSIONS))} are read")
    tensors, pairs = cursor.count(0), cursor.count(0)
    if max(tensors, pairs) > MAX_ENTRIES:
        raise FileFormatError(f"{cursor.path}: {tensors} tensors and {pairs} notes; {MAX_ENTRIES} of each are read")
    metadata: dict[str, Any] = {}
    for _ in range(pairs):
        key = cursor.string()
        metadata[key] = cursor.value(cursor.take("I"))
    entries: dict[str, _Entry] = {}
    for _ in range(tensors):
        name = cursor.string()
        if name in entries:
            raise FileFormatError(f"{cursor.path}: tensor {name[:80]!r} stands twice")
        entries[name] = _entry(cursor, name)
    return metadata, entries


def _entry(cursor: _Cursor, name: str) -> _Entry:
    where = f"{cursor.path}: tensor {name[:80]!r}"
    axes = cursor.take("I")
    if axes > MAX_AXES:
        raise FileFormatError(f"{where} has {axes} axes")
    shape = tuple(reversed([int(cursor.take("Q")) for _ in range(axes)]))
    number, offset = cursor.take("I"), cursor.take("Q")
    if number not in ENCODINGS:
        raise FileFormatError(f"{where} is of the unknown type {number}")
    encoding = ENCODINGS[number]
    if max(shape, default=0) >= 2**63 or (shape[-1] if shape else 1) % encoding.block:
        raise FileFormatError(f"{where} has the impossible shape {list(shape)} for {encoding.name}")
    return _Entry(encoding, shape, offset)


def _check_places(path: Path, entries: dict[str, _Entry], data_bytes: int, alignment: int) -> None:
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].offset, item[1].nbytes)):
        if entry.offset < end:
            raise FileFormatError(f"{path}: tensor {name[:80]!r} overlaps another (byte {entry.offset})")
        if entry.offset % alignment:
            raise FileFormatError(f"{path}: tensor {name[:80]!r} is not at a multiple of {alignment} bytes")
        end = entry.offset + entry.nbytes
    if end > data_bytes:
        raise FileFormatError(f"{path}: cut short (its tensors need {end} bytes, {max(data_bytes, 0)} are there)")


def _original_shape(path: Path, name: str, entry: _Entry, metadata: dict[str, Any]) -> tuple[int, ...]:
    shape = metadata.get(ORIGINAL_SHAPE + name, entry.shape)
    plain = isinstance(shape, list | tuple) and all(type(axis) is int and axis >= 0 for axis in shape)
    if not plain or math.prod(shape) != math.prod(entry.shape):
        raise FileFormatError(f"{path}: tensor {name[:80]!r} {list(entry.shape)} cannot have been {shape!r}"[:300])
    return tuple(shape)


def _reader(path: Path, name: str, buffer: Buffer, entry: _Entry, start: int, shape: tuple[int, ...]) -> Read:
    def read(dtype: torch.dtype | None) -> Tensor:
        from mezzotint.models.formats import blocks

        if not blocks.readable(entry.encoding.name):
            kinds = ", ".join(blocks.READABLE)
            raise FileFormatError(f"{path}: tensor {name!r} is {entry.encoding.name}; {kinds} are read")
        data = buffer.tensor(start, entry.nbytes)
        return blocks.decode(data, entry.encoding.name, dtype).reshape(shape)

    return read


def _packed(buffer: Buffer, entry: _Entry, start: int) -> Callable[[], Tensor] | None:
    """How to read a matrix's blocks as they are: a row is some whole ones."""
    if entry.encoding.block == 1 or len(entry.shape) != 2 or not math.prod(entry.shape):
        return None
    return lambda: buffer.tensor(start, entry.nbytes).view(entry.shape[0], -1)
