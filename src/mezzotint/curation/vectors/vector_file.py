"""Unit vectors on disk: one .npy file of float16 or float32 rows, written as a stream and mapped into memory."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int64
from numpy import ndarray
from numpy.typing import DTypeLike

from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.runtime import atomic

ROWS_AT_ONCE = 1 << 14
_TYPES = (np.dtype("<f2"), np.dtype("<f4"))
_TOLERANCE = 1e-2  # of a length: float16 rounds


def write_vectors(path: Path, blocks: Iterable[Float[ndarray, "_ d"]], *, rows: int, width: int) -> None:
    """Write unit vectors as float16, all or nothing.

    Raises InputError for blocks that are not `rows` vectors of length 1 in all, OutputError for a file that cannot be
    written.
    """
    with atomic.file(path) as temporary:
        file = create_array(temporary, "<f2", (rows, width))
        written = 0
        for block in blocks:
            check_lengths(block, str(path), range(written, written + len(block)))
            if written + len(block) > rows:
                raise InputError(f"{path} was to hold {rows} vectors, and there are more")
            file[written : written + len(block)] = block
            written += len(block)
        if written < rows:
            raise InputError(f"{path} was to hold {rows} vectors, and there are {written}")
        file.flush()


def create_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap:
    """A new .npy file, mapped to be written to. Raises OSError where there is no room for all of it.

    Its room is taken at once where the system can do that: a disk that is full at a later write kills the process.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def open_vectors(path: Path) -> Float[ndarray, "n d"]:
    """The vectors of a file, mapped. Raises MissingFileError for no file, FileFormatError for one of another kind."""
    try:
        vectors = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError as cause:
        raise MissingFileError(f"{path} does not exist: make it with an embedder") from cause
    except (OSError, ValueError) as cause:
        raise FileFormatError(f"{path} is not a readable .npy file ({cause}): make it again") from cause
    if vectors.ndim != 2 or vectors.dtype not in _TYPES:
        raise FileFormatError(f"{path} holds {vectors.dtype} of shape {vectors.shape}, not rows of float16 or float32")
    return vectors


def blocks(vectors: Float[ndarray, "n d"], what: str) -> Iterator[tuple[slice, Float[ndarray, "_ d"]]]:
    """The rows in fp32, some thousands at a time, with where they stand. Raises the error of `read_block`."""
    for rows in row_blocks(len(vectors)):
        yield rows, read_block(vectors, rows, what)


def row_blocks(count: int) -> list[slice]:
    """Some thousands of rows at a time."""
    return [slice(start, min(start + ROWS_AT_ONCE, count)) for start in range(0, count, ROWS_AT_ONCE)]


def read_block(vectors: Float[ndarray, "n d"], rows: slice, what: str) -> Float[ndarray, "_ d"]:
    """These rows in fp32. Raises InputError, with `what` they are, for the first that is not of length 1."""
    block = in_fp32(vectors[rows])
    check_lengths(block, what, range(rows.start, rows.stop))
    return block


def in_fp32(vectors: Float[ndarray, "n d"]) -> Float32[ndarray, "n d"]:
    """Finite numbers of float16 or float32 in float32; what is infinite or none becomes large.

    The bits of a float16, moved to where a float32 has them, stand for 2^-112 of it. NumPy's own conversion takes one
    number at a time.
    """
    if vectors.dtype != np.float16:
        return np.asarray(vectors, np.float32)
    bits = vectors.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= ~0x70001FFF  # of the sign, which the wider type has repeated, the first bit
    numbers = bits.view(np.float32)
    numbers *= np.float32(2.0**112)
    return numbers


def check_lengths(block: Float[ndarray, "n d"], what: str, positions: Sequence[int] | Int64[ndarray, "n"]) -> None:
    """Raises InputError for the first vector that is not of length 1, by its position in `what`."""
    rows = in_fp32(block)
    wrong = ~(np.abs(np.sqrt(np.einsum("nd,nd->n", rows, rows)) - 1) <= _TOLERANCE)  # NaN is wrong too
    if wrong.any():
        position = positions[int(wrong.argmax())]
        raise InputError(f"vector {position} of {what} is not of length 1: divide it by its length")
