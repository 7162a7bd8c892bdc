import hashlib
import io
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tests.fixtures import small_packages

from mezzotint.errors import InputError
from mezzotint.synthesis.scenes.part import Scenes
from mezzotint.synthesis.scenes.sampler import Repertoire
from mezzotint.synthesis.scenes.truth import Scene


def small(seed: int = 0, corpus: Path = small_packages.CORPUS) -> Scenes:
    fonts = small_packages.FONTS
    return Scenes(corpus=corpus, fetch=small_packages.fetch, size=64, count=100, seed=seed, fonts=fonts)


def test_a_record_holds_picture_captions_and_truth() -> None:
    scenes = small()
    for index in range(12):
        record = scenes.record(index)
        picture = Image.open(io.BytesIO(record.picture or b""))
        assert picture.size == (record.width, record.height)
        assert record.sha256 == hashlib.sha256(record.picture or b"").hexdigest()
        truth = Scene.from_json(record.truth or "")
        assert (truth.seed, truth.index, truth.style) == (0, index, record.style)
        assert record.measures["objects"] == len(truth.objects)
        assert len(record.captions) == 8


def test_every_source_has_its_licence_and_credit() -> None:
    scenes = small()
    records = [scenes.record(index) for index in range(40)]
    assert any(" + " in record.source for record in records)
    for record in records:
        counts = {record.source.count(" + "), record.licence.count(" AND "), record.credit.count(" + ")}
        assert len(counts) == 1
        has_photograph = "photograph" in (record.truth or "") and '"kind": "photograph"' in (record.truth or "")
        assert has_photograph == ("CC0-1.0" in record.licence)


def test_a_copy_for_another_process_makes_the_same_records() -> None:
    scenes = small()
    assert scenes.record(5) == pickle.loads(pickle.dumps(scenes)).record(5)


def test_the_version_follows_seed_sprites_and_repertoire(tmp_path: Path) -> None:
    (tmp_path / "sprites").mkdir()
    narrow = replace(small(), repertoire=Repertoire(shares={"pair": 1.0}))
    assert len({small().version, small(seed=1).version, small(corpus=tmp_path).version, narrow.version}) == 4
    assert {narrow.record(index).group for index in range(5)} == {"pair"}


def test_a_style_that_the_corpus_lacks_is_named() -> None:
    with pytest.raises(InputError, match="no sprites in the style 'gouache'; it has "):
        replace(small(), repertoire=Repertoire(styles=("gouache",))).record(0)
