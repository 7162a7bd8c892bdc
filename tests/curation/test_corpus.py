from dataclasses import replace
from pathlib import Path

import pytest
from tests.curation.small_stages import png, write_pictures

from mezzotint.curation.corpus import Chosen, _write, write_corpus
from mezzotint.curation.profiling.stage import Profile
from mezzotint.curation.runner import MANIFEST, run_pass, silent
from mezzotint.curation.sources import Origin, files, open_input
from mezzotint.curation.sources.files import FileShard
from mezzotint.data.records import read_records
from mezzotint.errors import InputError


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Chosen]:
    """The even ones of ten pictures in three shards; none of the last."""
    monkeypatch.setattr(files, "ROWS_PER_SHARD", 4)
    shards = open_input(str(write_pictures(tmp_path / "in", 10)), Origin(source="test"))
    profiles = run_pass(tmp_path / "profile", shards, "read", [Profile()], workers=1)
    numbers = [frozenset({0, 2}), frozenset({0, 2}), frozenset[int]()]
    names = [tmp_path / "out" / "part" / f"records-{number:05d}.parquet" for number in range(3)]
    tables = [(profile,) for profile in profiles]
    return [Chosen(*task) for task in zip(names, shards, tables, numbers, strict=True)]


def test_what_was_chosen_is_there_with_its_picture_and_measures(chosen: list[Chosen], tmp_path: Path) -> None:
    write_corpus(tmp_path / "out" / "part", chosen, workers=1, progress=silent)
    records = list(read_records(tmp_path / "out"))
    assert [record.id for record in records] == ["000.png", "002.png", "004.png", "006.png"]
    for record in records:
        assert record.picture == (tmp_path / "in" / record.id).read_bytes()
        assert (record.width, record.height, record.measures["short_side"]) == (8, 6, 6)


def test_only_what_changed_or_broke_is_made_again(chosen: list[Chosen], tmp_path: Path) -> None:
    folder = tmp_path / "out" / "part"
    write_corpus(folder, chosen, workers=1, progress=silent)
    manifest = (folder / MANIFEST).read_text()
    first, second, third = (one.path.stat().st_mtime_ns for one in chosen)
    chosen[1].path.write_bytes(b"broken")
    write_corpus(folder, chosen, workers=1, progress=silent)
    assert (folder / MANIFEST).read_text() == manifest
    assert [one.path.stat().st_mtime_ns for one in chosen][::2] == [first, third]
    assert chosen[1].path.stat().st_mtime_ns != second
    assert len(list(read_records(tmp_path / "out"))) == 4


def test_fewer_shards_leave_no_old_files(chosen: list[Chosen], tmp_path: Path) -> None:
    folder = tmp_path / "out" / "part"
    write_corpus(folder, chosen, workers=1, progress=silent)
    write_corpus(folder, chosen[:1], workers=1, progress=silent)
    assert {path.name for path in folder.iterdir()} == {"records-00000.parquet", MANIFEST}


def test_a_picture_that_is_no_longer_what_was_measured_is_one_clear_line(chosen: list[Chosen], tmp_path: Path) -> None:
    picture = tmp_path / "in" / "002.png"
    for content, how in ((png(99), "its file is another one"), (None, "cannot be read: No such file or directory")):
        if content is None:
            picture.unlink()
        else:
            picture.write_bytes(content)
        complaint = rf"^picture '002\.png' is not what was measured \({how}\): run the same command again"
        with pytest.raises(InputError, match=complaint) as raised:
            _write(chosen[0])
        assert "\n" not in str(raised.value)
    assert not chosen[0].path.exists()
    shard = chosen[1].shard
    assert isinstance(shard, FileShard)
    fewer = replace(shard, entries=shard.entries[:2])
    with pytest.raises(InputError, match=r"picture '006\.png' .* \(it is gone\)"):
        _write(replace(chosen[1], shard=fewer))
