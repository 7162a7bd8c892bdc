from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.curation.vectors.planted import clustered, stored, uniform

from mezzotint.curation.vectors.cells import Partition, open_cells, sort_into_cells
from mezzotint.curation.vectors.nearest import NONE
from mezzotint.curation.vectors.vector_file import open_vectors
from mezzotint.errors import InputError

SMALL = Partition(vectors_a_cell=20, probes=6, cells_a_group=32)


def test_cells_hold_every_vector_once_beside_its_like(tmp_path: Path) -> None:
    path = stored(clustered(30, 40, 16, spread=0.5), tmp_path / "v.npy")
    sort_into_cells(path, tmp_path / "cells", SMALL)
    cells = open_cells(tmp_path / "cells")
    np.testing.assert_array_equal(np.sort(cells.members), np.arange(1200))
    np.testing.assert_array_equal(cells.vectors, open_vectors(path)[cells.members])
    np.testing.assert_array_equal(cells.probes[:, 0], np.repeat(np.arange(60), np.diff(cells.starts)))
    cosines = cells.vectors.astype(np.float32) @ cells.centroids.T
    np.testing.assert_array_equal(cells.probes, np.argsort(-cosines, axis=1)[:, :6])
    assert (cells.groups[0], cells.groups[-1]) == (0, 60)


def test_the_cells_of_a_group_lie_near_to_one_another(tmp_path: Path) -> None:
    sort_into_cells(stored(uniform(4000, 4), tmp_path / "v.npy"), tmp_path / "cells", SMALL)
    cells = open_cells(tmp_path / "cells")
    own = np.repeat(np.arange(len(cells.groups) - 1), np.diff(cells.groups))
    cosines = cells.centroids @ cells.centroids.T
    same = own[:, None] == own
    assert cosines[same].mean() > cosines[~same].mean() + 0.5


def test_equal_seeds_give_equal_files_and_others_others(tmp_path: Path) -> None:
    path = stored(uniform(500, 8), tmp_path / "v.npy")
    for name, seed in {"one": 0, "again": 0, "other": 1}.items():
        sort_into_cells(path, tmp_path / name, replace(SMALL, seed=seed))
    files = [sorted((tmp_path / name).iterdir()) for name in ("one", "again", "other")]
    assert [file.name for file in files[0]] == [f"{n}.npy" for n in sorted(vars(open_cells(tmp_path / "one")))]
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]
    assert files[0][0].read_bytes() != files[2][0].read_bytes()


def test_nothing_is_found_in_an_empty_cell(tmp_path: Path) -> None:
    sort_into_cells(stored(uniform(100, 8), tmp_path / "v.npy"), tmp_path / "cells", SMALL)
    cells = open_cells(tmp_path / "cells")
    emptied = replace(cells, starts=np.array([0, 0, *cells.starts[2:]]))  # the first cell's vectors are the second's
    _, indices = emptied.look_up(uniform(2, 8, seed=1), np.array([[0], [1]]), 3)
    np.testing.assert_array_equal(indices[0], [NONE] * 3)
    assert np.isin(indices[1], cells.members[: cells.starts[2]]).all()


def test_what_cannot_be_divided_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 probes"):
        Partition(probes=0)
    np.save(tmp_path / "empty.npy", np.zeros((0, 4), np.float32))
    with pytest.raises(InputError, match="holds no vectors"):
        sort_into_cells(tmp_path / "empty.npy", tmp_path / "cells", SMALL)
    for wrong in (np.nan, 2.0):
        vectors = uniform(5000, 4)
        vectors[4321] *= wrong
        np.save(tmp_path / "wrong.npy", vectors)
        for each in (20, 2500):  # all vectors are drawn for k-means, or few
            with pytest.raises(InputError, match=r"vector 4321 of .* is not of length 1"):
                sort_into_cells(tmp_path / "wrong.npy", tmp_path / "cells", Partition(vectors_a_cell=each))
    assert {path.name for path in tmp_path.iterdir()} == {"empty.npy", "wrong.npy"}
