from pathlib import Path

import pytest
from tests.data.small_corpus import record, shape, write_corpus

from mezzotint.cli.main import main
from mezzotint.curation.prune import prune, read_list, write_list
from mezzotint.data.records import read_records, write_shard
from mezzotint.errors import FileFormatError, InputError, MissingFileError

HOSTILE = ["a\nb", '"quoted"', " ", "猫\u2028", "x" * 300]


def ids(corpus: Path) -> list[str]:
    return [record.id for record in read_records(corpus, ["id"])]


def test_what_is_listed_is_gone_and_the_rest_is_the_same(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    before = {record.id: record for record in read_records(corpus)}
    gone = {"sprite/red-disc", "scene/blue", "stranger"}
    done = prune(corpus, tmp_path / "out", frozenset(gone))
    assert (done.kept, done.dropped, done.unknown) == (10, 2, 1)
    after = {record.id: record for record in read_records(tmp_path / "out")}
    assert after == {id: record for id, record in before.items() if id not in gone}


def test_a_rerun_makes_what_is_missing_and_other_lists_make_it_anew(tmp_path: Path) -> None:
    corpus, out = write_corpus(tmp_path / "corpus"), tmp_path / "out"
    prune(corpus, out, frozenset(["scene/blue"]))
    files = sorted(out.glob("*/records-*.parquet"))
    contents = [path.read_bytes() for path in files]
    kept = files[0].stat().st_mtime_ns
    files[-1].unlink()
    assert prune(corpus, out, frozenset(["scene/blue"])).dropped == 1
    assert [path.read_bytes() for path in files] == contents
    assert files[0].stat().st_mtime_ns == kept
    assert prune(corpus, out, frozenset()).dropped == 0
    assert ids(out) == ids(corpus)


def test_pictures_that_lie_beside_the_corpus_go_along(tmp_path: Path) -> None:
    whole = record("one", shape("red", "disc"), [])
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "one.png").write_bytes(whole.picture or b"")
    beside = {"picture": None, "path": "one.png"}
    write_shard(tmp_path / "corpus" / "a" / "records-00000.parquet", [type(whole)(**vars(whole) | beside)])
    prune(tmp_path / "corpus", tmp_path / "out", frozenset())
    (copied,) = read_records(tmp_path / "out")
    assert (copied.picture, copied.path) == (whole.picture, None)


def test_a_list_gives_back_whatever_a_name_holds(tmp_path: Path) -> None:
    write_list(tmp_path / "list.jsonl", [{"id": id, "stays": "a"} for id in HOSTILE])
    assert read_list(tmp_path / "list.jsonl") == set(HOSTILE)


def test_what_is_no_list_and_an_output_inside_are_refused(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    with pytest.raises(MissingFileError, match="does not exist"):
        read_list(tmp_path / "none")
    for text in ("[1]\n", "a\n", '{"name": 1}\n'):
        (tmp_path / "list").write_text(text)
        with pytest.raises(FileFormatError, match="no list of pictures"):
            read_list(tmp_path / "list")
    with pytest.raises(InputError, match="lies inside"):
        prune(corpus, corpus / "out", frozenset())


def test_a_corpus_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    corpus, other = write_corpus(tmp_path / "corpus"), write_corpus(tmp_path / "other")
    with pytest.raises(InputError, match=r"holds scenes/records-00000\.parquet, and no made_of\.json"):
        prune(corpus, other, frozenset())
    assert ids(other) == ids(corpus)


def test_the_command_joins_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    for name, id in (("a", "scene/blue"), ("b", "scene/red")):
        write_list(tmp_path / name, [{"id": id}])
    lists = ["--lists", str(tmp_path / "a"), str(tmp_path / "b")]
    assert main(["curate", "prune", str(corpus), *lists, "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines() == ["10 pictures stayed, 2 went", str(tmp_path / "out")]
    assert not {"scene/blue", "scene/red"} & set(ids(tmp_path / "out"))
