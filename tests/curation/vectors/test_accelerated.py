from pathlib import Path

import numpy as np
import pytest
import torch
from tests.curation.vectors.planted import clustered, stored, uniform

from mezzotint.curation.vectors import accelerated
from mezzotint.curation.vectors.accelerated import DeviceNearest
from mezzotint.curation.vectors.cells import Partition
from mezzotint.curation.vectors.nearest import nearest
from mezzotint.curation.vectors.neighbours import all_neighbours

NO_CUDA = not torch.cuda.is_available()
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(NO_CUDA, reason="no CUDA device")])]


@pytest.mark.parametrize("device", DEVICES)
def test_it_finds_what_faiss_finds(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerated, "_PRODUCTS_AT_ONCE", 1000)  # several blocks
    queries, vectors = uniform(70, 24, seed=0), uniform(300, 24, seed=1)
    for k in (1, 7):
        cosines, indices = DeviceNearest(device)(queries, vectors, k)
        expected_cosines, expected = nearest(queries, vectors, k)
        np.testing.assert_array_equal(indices, expected)
        np.testing.assert_allclose(cosines, expected_cosines, atol=1e-5)
    for some in (vectors[:3], vectors[:0]):
        cosines, indices = DeviceNearest(device)(queries, some, 5)
        expected_cosines, expected = nearest(queries, some, 5)
        np.testing.assert_array_equal(indices, expected)
        np.testing.assert_allclose(cosines, expected_cosines, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_all_neighbours_by_it(device: str, tmp_path: Path) -> None:
    path = stored(clustered(20, 25, 16, spread=0.6), tmp_path / "v.npy")
    partition = Partition(vectors_a_cell=50, probes=4)
    ours = all_neighbours(path, tmp_path / "a", k=6, partition=partition, search=DeviceNearest(device))
    theirs = all_neighbours(path, tmp_path / "b", k=6, partition=partition)
    same = (np.asarray(ours.indices)[:, :, None] == np.asarray(theirs.indices)[:, None]).any(1)
    assert same.mean() > 0.999  # equals may change places
    np.testing.assert_allclose(np.asarray(ours.cosines), np.asarray(theirs.cosines), atol=1e-4)
