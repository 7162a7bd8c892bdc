import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from numpy import ndarray
from tests.curation.vectors.planted import clustered, stored, uniform

from mezzotint.curation.engine import distribute
from mezzotint.curation.stage import CPU
from mezzotint.curation.vectors.cells import Partition
from mezzotint.curation.vectors.nearest import LEAST, NONE
from mezzotint.curation.vectors.neighbours import Neighbours, all_neighbours, merged
from mezzotint.curation.vectors.vector_file import open_vectors
from mezzotint.errors import InputError, MissingFileError, OutputError

K = 8
RUN = """
import sys
from pathlib import Path
from tests.curation.vectors.test_neighbours import K, SMALL
from mezzotint.curation.vectors.neighbours import all_neighbours

source, folder, ready = map(Path, sys.argv[1:])
ready.touch()
all_neighbours(source, folder, k=K, partition=SMALL)
"""
SMALL = Partition(vectors_a_cell=20, probes=6, cells_a_group=32)


def exact(path: Path, k: int = K) -> ndarray:
    """The indices of the true neighbours, by the whole matrix of cosines."""
    vectors = open_vectors(path).astype(np.float32)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    best = np.argpartition(-cosines, k, axis=1)[:, :k]
    return np.take_along_axis(best, np.argsort(-np.take_along_axis(cosines, best, axis=1), axis=1), axis=1)


def recall(found: Neighbours, true: ndarray) -> float:
    """The share of the true neighbours that was found."""
    return float((found.indices[:, :, None] == true[:, None]).any(1).mean())


def test_one_cell_is_exact_search(tmp_path: Path) -> None:
    path = stored(uniform(300, 8), tmp_path / "v.npy")
    found = all_neighbours(path, tmp_path / "found", k=K, partition=Partition(vectors_a_cell=300))
    np.testing.assert_array_equal(found.indices, exact(path))
    vectors = open_vectors(path).astype(np.float32)
    np.testing.assert_allclose(found.cosines, np.einsum("nd,nkd->nk", vectors, vectors[found.indices]), atol=1e-5)


def test_recall_on_clustered_vectors(tmp_path: Path) -> None:
    path = stored(clustered(60, 50, 32, spread=0.5), tmp_path / "v.npy")
    found = all_neighbours(path, tmp_path / "found", k=K, partition=SMALL)
    assert recall(found, exact(path)) >= 0.97


def test_recall_on_uniform_vectors_grows_with_the_probes_to_all(tmp_path: Path) -> None:
    """The hardest case: nothing to divide by."""
    path = stored(uniform(3000, 16), tmp_path / "v.npy")
    true = exact(path)
    got = [
        recall(all_neighbours(path, tmp_path / str(p), k=K, partition=Partition(vectors_a_cell=50, probes=p)), true)
        for p in (4, 16, 60)
    ]
    assert got[0] >= 0.5
    assert got[1] >= 0.9
    assert got[2] == 1


def test_two_seeds_together_find_more_than_each(tmp_path: Path) -> None:
    path = stored(uniform(2000, 16), tmp_path / "v.npy")
    partitions = [Partition(vectors_a_cell=50, probes=4, seed=seed) for seed in (0, 1)]
    one, other = (all_neighbours(path, tmp_path / str(p.seed), k=K, partition=p) for p in partitions)
    both, true = merged(one, other), exact(path)
    assert recall(both, true) > max(recall(one, true), recall(other, true)) + 0.05
    assert (np.diff(both.cosines, axis=1) <= 0).all()
    assert all(len(set(row)) == K for row in both.indices)


def test_merging_keeps_each_neighbour_once() -> None:
    one = Neighbours(indices=np.array([[5, 3, NONE]]), cosines=np.array([[0.9, 0.4, LEAST]], np.float32))
    other = Neighbours(indices=np.array([[5, 7, 3]]), cosines=np.array([[0.9, 0.6, 0.4]], np.float32))
    np.testing.assert_array_equal(merged(one, other).indices, [[5, 7, 3]])
    np.testing.assert_array_equal(merged(one, one).indices, [[5, 3, NONE]])


def test_nobody_is_a_neighbour_of_itself_even_among_equals(tmp_path: Path) -> None:
    vectors = np.concatenate([np.repeat(uniform(1, 8), 30, axis=0), uniform(30, 8, seed=1)])
    found = all_neighbours(stored(vectors, tmp_path / "v.npy"), tmp_path / "found", k=5, partition=SMALL)
    assert not (found.indices == np.arange(60)[:, None]).any()
    assert (found.indices[:30] < 30).all()
    np.testing.assert_allclose(found.cosines[:30], 1, atol=2e-3)


def test_fewer_vectors_than_neighbours(tmp_path: Path) -> None:
    found = all_neighbours(stored(uniform(3, 8), tmp_path / "v.npy"), tmp_path / "found", k=5, partition=SMALL)
    assert np.sort(found.indices[0])[-2:].tolist() == [1, 2]
    np.testing.assert_array_equal(found.indices[:, 2:], NONE)
    alone = all_neighbours(stored(uniform(1, 8), tmp_path / "w.npy"), tmp_path / "alone", k=2, partition=SMALL)
    np.testing.assert_array_equal(alone.indices, [[NONE, NONE]])


def test_a_run_repeats_itself_to_the_byte_wherever_it_runs(tmp_path: Path) -> None:
    path = stored(clustered(40, 50, 16, spread=0.7), tmp_path / "v.npy")
    workers = partial(distribute, workers=2, resources=CPU)
    all_neighbours(path, tmp_path / "here", k=K, partition=SMALL)
    all_neighbours(path, tmp_path / "there", k=K, partition=SMALL, distribute=workers)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3 - min(threads, 2))  # one where there were several, else two
    all_neighbours(path, tmp_path / "threads", k=K, partition=SMALL)
    faiss.omp_set_num_threads(threads)
    here, *others = ((tmp_path / name / "neighbours.npy").read_bytes() for name in ("here", "there", "threads"))
    assert others == [here, here]


def test_a_killed_run_goes_on_at_the_group_that_it_had_come_to(tmp_path: Path) -> None:
    path = stored(clustered(80, 25, 16, spread=0.5), tmp_path / "v.npy")
    whole = all_neighbours(path, tmp_path / "whole", k=K, partition=SMALL)
    done: list[int] = []

    def killed(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            if done:
                raise KeyboardInterrupt
            done.append(item)
            yield function(item)

    def counting(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            done.append(item)
            yield function(item)

    with pytest.raises(KeyboardInterrupt):
        all_neighbours(path, tmp_path / "found", k=K, partition=SMALL, distribute=killed)
    found = all_neighbours(path, tmp_path / "found", k=K, partition=SMALL, distribute=counting)
    assert done == [0, 1, 2, 3]
    np.testing.assert_array_equal(found.indices, whole.indices)
    all_neighbours(path, tmp_path / "found", k=K, partition=SMALL, distribute=counting)
    assert done == [0, 1, 2, 3]


def test_other_vectors_or_settings_make_it_anew(tmp_path: Path) -> None:
    path, folder = tmp_path / "v.npy", tmp_path / "found"
    stored(uniform(100, 8), path)
    all_neighbours(path, folder, k=3, partition=SMALL)
    assert all_neighbours(path, folder, k=2, partition=SMALL).indices.shape == (100, 2)
    stored(uniform(90, 8, seed=1), path)
    assert all_neighbours(path, folder, k=2, partition=SMALL).indices.shape == (90, 2)


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    path = stored(uniform(10, 4), tmp_path / "v.npy")
    with pytest.raises(InputError, match="k is 0"):
        all_neighbours(path, tmp_path / "found", k=0, partition=SMALL)
    with pytest.raises(MissingFileError):
        all_neighbours(tmp_path / "none.npy", tmp_path / "found", k=1, partition=SMALL)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        all_neighbours(path, tmp_path / "file", k=1, partition=SMALL)
    np.save(tmp_path / "empty.npy", np.zeros((0, 4), np.float32))
    with pytest.raises(InputError, match="holds no vectors"):
        all_neighbours(tmp_path / "empty.npy", tmp_path / "found", k=1, partition=SMALL)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_file(tmp_path: Path) -> None:
    source, folder, ready = (
        stored(clustered(200, 50, 32, spread=0.5), tmp_path / "v.npy"),
        tmp_path / "f",
        tmp_path / "r",
    )
    all_neighbours(source, tmp_path / "whole", k=K, partition=SMALL)
    whole = (tmp_path / "whole" / "neighbours.npy").read_bytes()
    (tmp_path / "run.py").write_text(RUN)
    command = [sys.executable, str(tmp_path / "run.py"), str(source), str(folder), str(ready)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    moments, kills, ended = random.Random(0), 0, 0
    while kills < 10 or not ended:
        ready.unlink(missing_ok=True)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while not ready.exists():
            time.sleep(0.01)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0.0, 0.6) if kills < 10 else None)
        if process.poll() is None:
            kills += 1
            process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            ended += 1
            assert (folder / "neighbours.npy").read_bytes() == whole
            shutil.rmtree(folder)
