from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.curation.profiling.pictures import detailed, encoded, smooth
from tests.fixtures.small_packages import CORPUS

from mezzotint.cli.main import main
from mezzotint.curation.judges import quality_training
from mezzotint.curation.judges.quality import BY_HAND, SCORES, load_quality_head
from mezzotint.curation.judges.quality_training import Examples, _choose, _fit, _versions, measure, table, train_quality
from mezzotint.curation.profiling.decoding import decode
from mezzotint.data.records import Record, read_records, write_shard
from mezzotint.errors import InputError

EACH = 1 + len(SCORES)
WIDTH = 6


def record(identity: str, seed: int, kind: str = "photograph") -> Record:
    size = (320, 256)
    picture = encoded(detailed(size, seed) if seed % 2 else smooth(size, seed))
    return replace(
        next(read_records(CORPUS)), id=identity, picture=picture, path=None, width=size[0], height=size[1], kind=kind
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    records = [record(f"p{number}", number, "stamp" if number % 10 == 0 else "photograph") for number in range(70)]
    write_shard(folder / "part" / "records-00000.parquet", records)
    return folder


def examples(pictures: int, seed: int = 0) -> Examples:
    """Each defect shows in a feature of its own; the measures say nothing."""
    rng = np.random.default_rng(seed)
    defects = np.arange(pictures * EACH) % EACH
    seen = rng.standard_normal((pictures * EACH, WIDTH)).astype(np.float32)
    seen[:, : len(SCORES)] += 4 * (defects[:, None] == np.arange(1, EACH))
    return Examples(
        features=seen,
        measures=rng.standard_normal((pictures * EACH, len(BY_HAND))).astype(np.float32),
        kinds=np.repeat(np.where(np.arange(pictures) % 2, "a", "b"), EACH),
        held_out=np.repeat(np.arange(pictures) % 5 == 0, EACH),
    )


def test_what_shows_is_learned_and_what_does_not_is_chance() -> None:
    known = examples(300)
    areas = measure(_fit(known, 1.0), known)
    assert {(area.score, area.kind) for area in areas} == {(s, k) for s in SCORES for k in ("all", "a", "b")}
    assert min(area.head for area in areas) > 0.95
    assert all(abs(area.measure - 0.5) < 0.15 for area in areas)
    assert sum(area.pictures for area in areas if area.kind != "all") == len(SCORES) * 60
    assert len(table(areas)) == 2 + len(SCORES)


def test_held_out_pictures_teach_nothing() -> None:
    known = examples(100)
    spoiled = known.features.copy()
    spoiled[known.held_out] = 100
    one, other = (_fit(replace(known, features=seen), 1.0) for seen in (known.features, spoiled))
    np.testing.assert_array_equal(one.weights, other.weights)


def test_versions_are_the_same_every_time_and_each_has_its_defect(tmp_path: Path) -> None:
    own = record("a", 1)
    files = list(_versions(own, tmp_path, 0))
    assert files == list(_versions(own, tmp_path, 0)) != list(_versions(own, tmp_path, 1))
    found, tinted, blurred, noisy, marked = (decode(file) for file in files)
    assert np.abs(found.luma.astype(int) - decode(own.picture or b"").luma).mean() < 3
    for other in (tinted, noisy, marked):
        assert np.abs(other.rgb.astype(int) - found.rgb).mean() > 1
    assert np.diff(blurred.luma.astype(int)).var() < np.diff(found.luma.astype(int)).var()


def test_kinds_are_drawn_evenly_and_too_few_pictures_are_refused(corpus: Path) -> None:
    kinds = {one.id: one.kind for one in read_records(corpus, ["id", "kind"])}
    drawn = _choose(corpus, 50, 0)
    assert drawn == _choose(corpus, 50, 0) == sorted(set(drawn))
    assert sum(kinds[one] == "stamp" for one in drawn) == 7
    with pytest.raises(InputError, match="at least 50 teach"):
        _choose(corpus, 20, 0)


@pytest.mark.slow
@pytest.mark.usefixtures("random_efficientnet")
def test_the_command_and_a_rerun(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quality_training, "LEAST_PICTURES", 20)
    assert main(["curate", "train-quality", str(corpus), "--out", str(tmp_path), "--pictures", "24"]) == 0
    assert "quality_blur" in capsys.readouterr().out
    assert "held out" in (tmp_path / "card.md").read_text()
    head = load_quality_head(tmp_path)
    part = sorted((tmp_path / "features").glob("*.npz"))[1]
    before = {path: path.stat().st_mtime_ns for path in part.parent.glob("*.npz")}
    part.unlink()
    areas = train_quality(corpus, tmp_path, pictures=24, penalty=1.0, seed=0)
    assert {path for path, when in before.items() if path.stat().st_mtime_ns != when} == {part}
    np.testing.assert_array_equal(load_quality_head(tmp_path).weights, head.weights)
    assert min(area.head for area in areas if area.score == "quality_colour_cast") > 0.8
    assert quality_training.FILE in {path.name for path in tmp_path.iterdir()}
