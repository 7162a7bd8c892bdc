from pathlib import Path

import numpy as np
import pytest
import torch
from tests.evaluation.conftest import random_network

from mezzotint.data.records import read_records
from mezzotint.errors import InputError
from mezzotint.evaluation.gallery import Examiner, Gallery, check_concepts, load_gallery, sprite_pictures

LINE = Gallery(
    features=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0]]),
    concepts=("cat", "dog", "cat", "owl"),
    styles=("flat", "flat", "line", "flat"),
)


def test_a_concept_is_as_near_as_its_nearest_sprite():
    """Of a picture at 30° the nearest is a cat (45°, then 0°), then the dog at 90°, then the owl."""
    at = np.array([[3**0.5, 1.0]] * 3)
    assert LINE.ranks(at, ["cat", "dog", "owl"]).tolist() == [0, 1, 2]


def test_length_does_not_matter_and_kept_out_sprites_do_not_count():
    at = np.array([[1.0, 10.0], [10.0, 1.0]])
    assert LINE.ranks(at, ["dog", "cat"]).tolist() == [0, 0]
    flat = np.array(LINE.styles) == "flat"
    assert LINE.ranks(np.array([[1.0, 1.1]]), ["cat"], flat).tolist() == [1]
    assert LINE.ranks(at[:1], ["owl"], ~flat).tolist() == [1]  # nothing of it is left: it comes last


def test_where_finds_the_sprites_of_a_style():
    assert LINE.where(["cat", "owl"], "flat").tolist() == [0, 3]


def test_a_style_is_that_of_the_nearest_sprite_of_the_same_concept():
    """At 85° the dog's flat sprite is the nearest of all, and of the cats' the one at 45°; at 4° the one at 0° is."""
    at = np.array([[np.cos(angle), 7 * np.sin(angle)] for angle in (1.0, 0.01)])
    assert LINE.styles_alike(at, ["cat", "cat"]).tolist() == ["line", "flat"]


def test_a_missing_concept_is_named():
    with pytest.raises(InputError, match=r"shows no bee \(1 concepts"):
        check_concepts(LINE, ["cat", "bee"])


def test_real_sprites_find_themselves_and_the_features_are_kept(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path))
    examiner = Examiner(random_network(), torch.device("cpu"))
    gallery = load_gallery(corpus, examiner)
    records = list(read_records(corpus, parts=["sprites"]))[:5]
    found = examiner.features(sprite_pictures(records, corpus))
    np.testing.assert_allclose(found, gallery.features[:5], rtol=1e-3, atol=1e-4)
    assert gallery.ranks(found, [record.concept or "" for record in records]).tolist() == [0] * 5
    (kept,) = (tmp_path / "galleries").iterdir()
    np.testing.assert_array_equal(np.load(kept), gallery.features)
    np.testing.assert_array_equal(load_gallery(corpus, examiner).features, gallery.features)


def test_a_wide_picture_is_seen_whole_between_white_margins():
    examiner = Examiner(random_network(), torch.device("cpu"))
    wide = torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    square = torch.ones(1, 3, 64, 64)
    square[:, :, 16:48] = wide
    np.testing.assert_allclose(examiner.features(wide), examiner.features(square), rtol=1e-5, atol=1e-6)
