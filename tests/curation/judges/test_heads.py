import pickle
from pathlib import Path

import numpy as np
import pytest
from tests.curation.judges.shown import shown
from tests.curation.profiling.pictures import detailed, smooth

from mezzotint.curation.judges.heads import Heads
from mezzotint.curation.judging import Judge
from mezzotint.curation.vectors import heads
from mezzotint.curation.vectors.catalogue import identity, load_picture_embedder
from mezzotint.curation.vectors.heads import Head, fit
from mezzotint.errors import InputError, MissingFileError

CLIP = "mini-clip"


def write(folder: Path, name: str, embedder: str = "", width: int = 256) -> Path:
    """A head that tells detailed pictures from smooth ones by `mini-clip`."""
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal(width).astype(np.float32), 0.1
    heads._write(folder, Head(name=name, embedder=embedder or identity(CLIP), weight=weight, bias=bias))
    return folder


def test_each_head_is_a_measure(tmp_path: Path) -> None:
    seen = [make((300, 200), seed) for make in (detailed, smooth) for seed in range(4)]
    vectors = load_picture_embedder(CLIP, "cpu").embed_pictures(seen)
    weight, bias = fit(vectors, np.repeat([True, False], 4), 0.01)
    heads._write(tmp_path / "detail", Head(name="detail", embedder=identity(CLIP), weight=weight, bias=bias))
    judge = Heads(folders=(tmp_path / "detail", write(tmp_path / "other", "other")), device="cpu")
    judge.check()
    assert isinstance(judge, Judge)
    assert [limit.measure for limit in judge.limits] == ["detail", "other"]
    said = judge([shown(picture) for picture in seen], [[]] * len(seen))
    shares = [row["detail"] for row in said]
    assert min(shares[:4]) > 0.5 > max(shares[4:])
    assert pickle.loads(pickle.dumps(judge)) == judge


def test_its_version_follows_the_weights(tmp_path: Path) -> None:
    one, other = (Heads(folders=(write(tmp_path / name, name),), device=None).version for name in "ab")
    assert one != other


def test_mistakes_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="comes from a folder"):
        Heads(folders=(write(tmp_path / "d", "y", "siglip2 0123"),), device=None).check()
    with pytest.raises(MissingFileError, match="holds no head"):
        Heads(folders=(tmp_path,), device=None).check()
