import os
import tarfile
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.curation.small_stages import png, write_pictures
from tests.data.small_corpus import write_corpus

from mezzotint.curation.sources import Origin, files, open_input
from mezzotint.curation.sources.rows import MAX_FILE_BYTES
from mezzotint.data.records import read_records, write_shard
from mezzotint.errors import InputError, MissingFileError

ORIGIN = Origin(source="somewhere", licence="CC0-1.0", credit="somebody")


def rows(url: str) -> list[dict[str, object]]:
    return [
        {**row, "unread": reason}
        for shard in open_input(url, ORIGIN)
        for outcome in shard.read()
        for row, reason in zip(outcome.rows.to_pylist(), outcome.reasons, strict=True)
    ]


def test_a_folder_gives_its_files_in_order_with_captions_and_origin(tmp_path: Path) -> None:
    write_pictures(tmp_path / "b", 2)
    (tmp_path / "a.jpg").write_bytes(png(9))
    (tmp_path / "a.txt").write_text("一个红苹果", encoding="utf-8")
    (tmp_path / "b" / "001.txt").write_text(" a red apple\n")
    (tmp_path / ".hidden").write_bytes(png())
    found = rows(str(tmp_path))
    assert [row["id"] for row in found] == ["a.jpg", "b/000.png", "b/001.png"]
    assert [row["picture"] for row in found] == [png(9), png(0), png(1)]
    assert [row["captions"] for row in found] == [
        [{"kind": "alt", "language": "zh", "text": "一个红苹果"}],
        [],
        [{"kind": "alt", "language": "en", "text": "a red apple"}],
    ]
    assert {(row["source"], row["licence"], row["credit"]) for row in found} == {("somewhere", "CC0-1.0", "somebody")}


def test_shards_are_bounded_and_a_digest_follows_what_it_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROWS_PER_SHARD", 4)
    write_pictures(tmp_path, 10)
    before = open_input(str(tmp_path), ORIGIN)
    assert [shard.rows for shard in before] == [4, 4, 2]
    assert [one.digest for one in before] == [one.digest for one in open_input(str(tmp_path), ORIGIN)]
    (tmp_path / "009.png").write_bytes(png(9, size=(50, 50)))
    after = open_input(str(tmp_path), ORIGIN)
    assert [a.digest == b.digest for a, b in zip(before, after, strict=True)] == [True, True, False]
    monkeypatch.setattr(files, "BYTES_PER_SHARD", 2 * len(png()))
    assert [shard.rows for shard in open_input(str(tmp_path), ORIGIN)][:2] == [2, 2]


@pytest.mark.parametrize(
    "name", ["it's.png", 'a "b".png', "two\nlines.png", "späte 图.png", "%2e%2e", "a;b|c&.png", "-rf"]
)
def test_odd_names_are_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(png(3))
    assert [(row["id"], row["picture"], row["unread"]) for row in rows(str(tmp_path))] == [(name, png(3), None)]


def test_a_name_that_is_not_utf_8_is_read_and_shown(tmp_path: Path) -> None:
    (Path(str(tmp_path)) / b"\xff.png".decode("utf-8", "surrogateescape")).write_bytes(png(3))
    (row,) = rows(str(tmp_path))
    assert (row["id"], row["picture"]) == ("\\xff.png", png(3))


def test_what_cannot_be_read_says_so_and_the_rest_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere")
    with (tmp_path / "c.png").open("wb") as sparse:
        sparse.truncate(MAX_FILE_BYTES + 1)
    (tmp_path / "d.png").write_bytes(png())
    (tmp_path / "e.png").symlink_to(tmp_path / "d.png")
    reasons = {row["id"]: row["unread"] for row in rows(str(tmp_path))}
    assert reasons["a.png"] == "not a regular file"
    assert reasons["b.png"] == "not a regular file"
    assert reasons["c.png"] == "larger than 64 MiB"
    assert reasons["d.png"] is None
    assert reasons["e.png"] is None


def test_a_url_of_another_file_system_is_read() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/pictures/a.png", png(1))
    memory.pipe("/pictures/a.txt", b"a dot")
    try:
        (row,) = rows("memory://pictures")
        assert (row["id"], row["picture"], row["captions"][0]["text"]) == ("a.png", png(1), "a dot")
    finally:
        memory.rm("/pictures", recursive=True)


def test_of_a_corpus_its_records_are_read_alone(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    (corpus / "report.html").write_text("a page")
    (corpus / "passes" / "profile").mkdir(parents=True)
    pq.write_table(pa.table({"number": [1]}), corpus / "passes" / "profile" / "00000.parquet")
    assert {row["id"] for row in rows(str(corpus))} == {record.id for record in read_records(corpus)}


def test_an_input_without_pictures_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,caption\n")
    tarfile.open(tmp_path / "a.tar", "w").close()
    pq.write_table(pa.table({"image": pa.array([], pa.binary())}), tmp_path / "a.parquet")
    write_shard(tmp_path / "corpus" / "part" / "records-00000.parquet", [])
    for name in ("list.csv", "a.tar", "a.parquet", "corpus"):
        with pytest.raises(InputError, match="holds no pictures: name"):
            open_input(str(tmp_path / name), ORIGIN)


@pytest.mark.parametrize(
    ("url", "error", "complaint"),
    [
        ("{tmp}/nothing", MissingFileError, "does not exist"),
        ("{tmp}", InputError, "is an empty folder"),
        ("nosuch://x", InputError, "cannot be opened"),
    ],
)
def test_a_wrong_input_is_one_clear_line(tmp_path: Path, url: str, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint) as raised:
        open_input(url.format(tmp=tmp_path), ORIGIN)
    assert "\n" not in str(raised.value)
