"""Unit vectors on disk: one .npy file of float16 or float32 rows, written as a stream and mapped into memory."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64
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
    """The rows in fp32, some thousands at a time, with where they stand.

    Raises InputError, with `what` they are, at the first that is not of length 1.
    """
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, len(vectors)))
        block = np.asarray(vectors[rows], np.float32)
        check_lengths(block, what, range(rows.start, rows.stop))
        yield rows, block


def check_lengths(block: Float[ndarray, "n d"], what: str, positions: Sequence[int] | Int64[ndarray, "n"]) -> None:
    """Raises InputError for the first vector that is not of length 1, by its position in `what`."""
    wrong = ~(np.abs(np.linalg.norm(block.astype(np.float32), axis=1) - 1) <= _TOLERANCE)  # NaN is wrong too
    if wrong.any():
        position = positions[int(wrong.argmax())]
        raise InputError(f"vector {position} of {what} is not of length 1: divide it by its length")
