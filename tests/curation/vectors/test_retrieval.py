from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image
from tests.curation.vectors.planted import clustered, stored, uniform, unit

from mezzotint.curation.vectors.cells import Cells, Partition, open_cells, sort_into_cells
from mezzotint.curation.vectors.nearest import NONE
from mezzotint.curation.vectors.retrieval import by_failure, by_picture, by_text, joint, look_up
from mezzotint.errors import InputError

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


class MeanColour:
    """A picture's mean colour; a text is the colour that it names."""

    width = 3

    def embed_pictures(self, pictures: list[Image.Image]) -> ndarray:
        return unit(np.stack([np.asarray(picture, np.float32).mean((0, 1)) for picture in pictures]))

    def embed_texts(self, texts: list[str]) -> ndarray:
        return unit(np.array([COLOURS[text] for text in texts], np.float32))


def cells_of(vectors: ndarray, folder: Path, **partition: int) -> Cells:
    sort_into_cells(stored(vectors, folder / "v.npy"), folder / "cells", Partition(**partition))
    return open_cells(folder / "cells")


def plain(name: str) -> Image.Image:
    return Image.new("RGB", (4, 4), COLOURS[name])


def test_with_all_cells_a_look_up_is_exact(tmp_path: Path) -> None:
    vectors, queries = uniform(500, 8), uniform(9, 8, seed=1)
    hits = look_up(cells_of(vectors, tmp_path, vectors_a_cell=20), queries, 5, probes=25)
    cosines = queries @ vectors.astype(np.float16).astype(np.float32).T
    np.testing.assert_array_equal(hits.indices, np.argsort(-cosines, axis=1)[:, :5])
    np.testing.assert_allclose(hits.cosines, -np.sort(-cosines, axis=1)[:, :5], atol=1e-5)


def test_a_few_cells_find_a_querys_own_kind(tmp_path: Path) -> None:
    vectors = clustered(20, 30, 16, spread=0.3)
    hits = look_up(cells_of(vectors, tmp_path, vectors_a_cell=30), vectors[::30], 10, probes=3)
    np.testing.assert_array_equal(hits.indices // 30, np.repeat(np.arange(20)[:, None], 10, axis=1))


def test_fewer_vectors_than_are_asked_for_and_other_widths(tmp_path: Path) -> None:
    cells = cells_of(uniform(2, 8), tmp_path)
    np.testing.assert_array_equal(look_up(cells, uniform(1, 8), 3, probes=4).indices[0, 2:], [NONE])
    with pytest.raises(InputError, match="6 numbers and the vectors 8"):
        look_up(cells, uniform(1, 6), 3, probes=4)


def test_the_cosine_of_joint_vectors_is_the_mean_of_both() -> None:
    pictures, texts = uniform(5, 8), uniform(5, 6, seed=1)
    both = joint(pictures, texts)
    np.testing.assert_allclose(both @ both.T, (pictures @ pictures.T + texts @ texts.T) / 2, atol=1e-6)


def test_pictures_are_found_by_picture_and_by_text(tmp_path: Path) -> None:
    names, embedder = list(COLOURS), MeanColour()
    cells = cells_of(embedder.embed_pictures([plain(name) for name in names]), tmp_path)
    for name in names:
        assert by_picture(cells, embedder, [plain(name)], 1, probes=1).indices.item() == names.index(name)
        assert by_text(cells, embedder, [name], 1, probes=1).indices.item() == names.index(name)


def test_a_failure_finds_the_picture_that_has_its_wrong_caption(tmp_path: Path) -> None:
    """Red pictures under "red", green ones under "green", and one green one under "red"."""
    shown, said = ["red", "red", "green", "green", "green"], ["red", "red", "green", "green", "red"]
    embedder = MeanColour()
    vectors = joint(embedder.embed_pictures([plain(name) for name in shown]), embedder.embed_texts(said))
    hits = by_failure(cells_of(vectors, tmp_path), embedder, ["red"], [plain("green")], 5, probes=1)
    assert hits.indices[0, 0] == 4
    np.testing.assert_allclose(hits.cosines[0], [1, 0.5, 0.5, 0.5, 0.5], atol=1e-3)
