import json
from pathlib import Path

import numpy as np
import pytest

from mezzotint.cli.main import main
from mezzotint.curation.vectors import embedding
from mezzotint.curation.vectors.heads import Head, auc, fit, load_head, read_labels, score, train_head
from mezzotint.curation.vectors.rows import ROWS
from mezzotint.curation.vectors.vector_file import write_vectors
from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.runtime import atomic

COUNT, WIDTH = 200, 16


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def truth() -> np.ndarray:
    return np.arange(COUNT) % 3 == 0


@pytest.fixture
def vectors(tmp_path: Path, truth: np.ndarray) -> Path:
    """Positives lie towards one axis, with much noise."""
    folder = tmp_path / "vectors"
    folder.mkdir()
    made = np.random.default_rng(0).standard_normal((COUNT, WIDTH))
    made[:, 0] += 3.0 * truth
    write_vectors(folder / "pictures.npy", [unit(made)], rows=COUNT, width=WIDTH)
    rows = [
        {"id": f"p{n}", "width": 8, "height": 8, "concept": None, "caption": "", "measures": []} for n in range(COUNT)
    ]
    atomic.write_bytes(folder / "rows-00000.parquet", ROWS.to_bytes(rows))
    names = {"pictures": "efficientnet-lite0", "captions": None, "language": "en", "device": None}
    atomic.write_json(folder / embedding._NAMES, names)
    return folder


@pytest.fixture
def labels(tmp_path: Path, truth: np.ndarray) -> Path:
    path = tmp_path / "labels.csv"
    lines = [f"p{number},{int(label)}" for number, label in enumerate(truth[:150])]
    path.write_text("\n".join(["id,label", *lines, "elsewhere,1"]))
    return path


def test_the_fit_is_where_the_gradient_vanishes() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((80, 5)), rng.random(80) < 0.4
    weight, bias = fit(x, y, 2.0)
    residual = 1 / (1 + np.exp(-(x @ weight + bias))) - y
    assert np.abs(x.T @ residual + 2.0 * weight).max() < 1e-4
    assert abs(residual.sum()) < 1e-3


def test_labels_that_separate_perfectly_are_no_trouble() -> None:
    x = unit(np.random.default_rng(2).standard_normal((40, 8)))
    weight, bias = fit(x, x[:, 0] > 0, 1.0)
    assert np.isfinite(weight).all()
    assert auc(x @ weight + bias, x[:, 0] > 0) > 0.95


def test_the_area_under_the_curve_counts_pairs() -> None:
    labels = np.array([True, False, True, False])
    assert auc(np.array([0.9, 0.1, 0.8, 0.2]), labels) == 1
    assert auc(np.array([0.1, 0.9, 0.2, 0.8]), labels) == 0
    assert auc(np.array([0.5, 0.5, 0.5, 0.5]), labels) == 0.5
    assert auc(np.array([0.9, 0.8, 0.3, 0.1]), labels) == 0.75


def test_a_head_tells_unseen_pictures_apart_and_its_card_says_how_well(
    vectors: Path, labels: Path, truth: np.ndarray, tmp_path: Path
) -> None:
    trained = train_head(vectors, labels, tmp_path / "head", name="first", penalty=1.0, seed=0)
    assert (trained.pictures, trained.positives) == (150, int(truth[:150].sum()))
    head = load_head(tmp_path / "head")
    shares = np.array(list(score(vectors, head).values()))
    assert auc(shares[150:], truth[150:]) == pytest.approx(trained.auc, abs=0.08)
    assert trained.auc > 0.85
    card = (tmp_path / "head" / "card.md").read_text()
    assert f"{trained.auc:.3f}" in card
    assert "150 pictures, 50 of them positive" in card


def test_labels_by_chance_teach_nothing(vectors: Path, tmp_path: Path) -> None:
    drawn = np.random.default_rng(3).random(COUNT) < 0.5
    path = tmp_path / "chance.csv"
    path.write_text("id,label\n" + "".join(f"p{number},{int(label)}\n" for number, label in enumerate(drawn)))
    assert train_head(vectors, path, tmp_path / "head", name="x", penalty=1.0, seed=0).auc == pytest.approx(
        0.5, abs=0.13
    )


def test_the_commands(vectors: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, listed = tmp_path / "head", tmp_path / "listed.jsonl"
    train = ["curate", "train-head", str(vectors), "--labels", str(labels), "--name", "first", "--out", str(head)]
    assert main(train) == 0
    assert main(["curate", "score", str(vectors), "--head", str(head), "--least", "0.5", "--out", str(listed)]) == 0
    lines = [json.loads(line) for line in listed.read_text().splitlines()]
    assert 80 < len(lines) < 170
    assert all(line["first"] < 0.5 for line in lines)
    assert main(["curate", "score", str(vectors), "--head", str(head), "--out", str(listed)]) == 2
    assert "name a limit" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["luma", "style", "id", "nsfw", "quality_blur", "people", "tags", "alignment_en", "duplicates", "preview"]
)
def test_a_head_is_not_called_as_another_column(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    train = ["curate", "train-head", str(tmp_path), "--labels", "labels.csv", "--out", str(tmp_path / "head")]
    assert main([*train, "--name", name]) == 2
    assert f"two columns are called '{name}'" in capsys.readouterr().err


def test_mistakes_are_one_clear_line(vectors: Path, labels: Path, tmp_path: Path) -> None:
    other = Head(name="x", embedder="another", weight=np.zeros(WIDTH, np.float32), bias=0.0)
    with pytest.raises(InputError, match="is for vectors of another"):
        score(vectors, other)
    with pytest.raises(MissingFileError, match="do not exist"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_text("id,label\np1,yes\n")
    with pytest.raises(FileFormatError, match="0 or 1"):
        read_labels(tmp_path / "bad.csv")
    (tmp_path / "few.csv").write_text("id,label\np1,1\np2,0\n")
    with pytest.raises(InputError, match="at least 5 of each"):
        train_head(vectors, tmp_path / "few.csv", tmp_path / "head", name="x", penalty=1.0, seed=0)
    with pytest.raises(MissingFileError, match="holds no head"):
        load_head(tmp_path)
