import resource
from pathlib import Path

import numpy as np
import pytest
from tests.curation.vectors.planted import stored, uniform

from mezzotint.curation.vectors.vector_file import ROWS_AT_ONCE, blocks, in_fp32, open_vectors, write_vectors
from mezzotint.errors import FileFormatError, InputError, MissingFileError, OutputError


def test_vectors_come_back_as_they_were_but_for_the_rounding(tmp_path: Path) -> None:
    vectors = uniform(ROWS_AT_ONCE + 3, 4)
    write_vectors(tmp_path / "v.npy", [vectors[:5], vectors[5:]], rows=len(vectors), width=4)
    opened = open_vectors(tmp_path / "v.npy")
    assert opened.dtype == np.float16
    assert isinstance(opened, np.memmap)
    parts = list(blocks(opened, "v"))
    assert [rows.stop for rows, _ in parts] == [ROWS_AT_ONCE, ROWS_AT_ONCE + 3]
    np.testing.assert_allclose(np.concatenate([block for _, block in parts]), vectors, atol=1e-3)


def test_every_float16_is_the_same_number_in_fp32() -> None:
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = np.isfinite(numbers)
    np.testing.assert_array_equal(in_fp32(numbers[finite]).view(np.int32), numbers[finite].astype("f4").view(np.int32))
    assert (np.abs(in_fp32(numbers[~finite])) >= 2.0**16).all()
    rows = uniform(4, 6)
    np.testing.assert_array_equal(in_fp32(rows.astype("f2")[::2]), rows.astype("f2")[::2].astype("f4"))
    assert in_fp32(rows) is rows


@pytest.mark.parametrize("wrong", [2.0, 0.0, np.nan])
def test_a_vector_that_is_no_direction_is_named(tmp_path: Path, wrong: float) -> None:
    vectors = uniform(6, 4)
    vectors[4] *= wrong
    with pytest.raises(InputError, match=r"vector 4 of .* is not of length 1"):
        stored(vectors, tmp_path / "v.npy")
    assert not list(tmp_path.iterdir())
    np.save(tmp_path / "other.npy", vectors)
    with pytest.raises(InputError, match="vector 4 of these is not of length 1"):
        list(blocks(open_vectors(tmp_path / "other.npy"), "these"))


@pytest.mark.parametrize("rows", [5, 7])
def test_more_or_fewer_than_were_announced_are_refused(tmp_path: Path, rows: int) -> None:
    with pytest.raises(InputError, match=f"was to hold {rows} vectors"):
        write_vectors(tmp_path / "v.npy", [uniform(6, 4)], rows=rows, width=4)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="does not exist"):
        open_vectors(tmp_path / "none.npy")
    (tmp_path / "text.npy").write_text("not an array")
    with pytest.raises(FileFormatError, match=r"not a readable \.npy file"):
        open_vectors(tmp_path / "text.npy")
    for name, array in {"flat": np.zeros(3, np.float32), "double": np.zeros((2, 2)), "object": np.array([{}])}.items():
        np.save(tmp_path / f"{name}.npy", array, allow_pickle=True)
        with pytest.raises(FileFormatError):
            open_vectors(tmp_path / f"{name}.npy")
    whole = stored(uniform(6, 4), tmp_path / "whole.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-9])
    with pytest.raises(FileFormatError):
        open_vectors(tmp_path / "cut.npy")


def test_no_room_on_the_disk_is_one_clear_line(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, before[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*v\.npy: File too large"):
            stored(uniform(1000, 8), tmp_path / "v.npy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
