import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.curation.vectors.colours import ColourEmbedder
from tests.data.small_corpus import COLOURS, record, scenes, shape, sprites, write_corpus

from mezzotint.curation.vectors import catalogue
from mezzotint.curation.vectors.embedding import Embedders, embed_corpus, open_embedders, read_embedders
from mezzotint.curation.vectors.rows import read_rows
from mezzotint.curation.vectors.vector_file import open_vectors
from mezzotint.data.records import Caption, write_shard
from mezzotint.errors import FileFormatError, InputError, MissingFileError

BOTH = Embedders(pictures="colours", captions="colours")


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(catalogue.EMBEDDERS, "colours", lambda device: ColourEmbedder())
    yield
    catalogue.load_embedder.cache_clear()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_vectors_stand_in_the_order_of_the_rows(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    embed_corpus(corpus, tmp_path / "v", BOTH)
    rows = read_rows(tmp_path / "v")
    records = {record.id: record for record in [*sprites(), *scenes()]}
    assert {row.id for row in rows} == set(records)
    pictures, captions = (open_vectors(tmp_path / "v" / f"{kind}.npy") for kind in ("pictures", "captions"))
    assert len(pictures) == len(captions) == len(rows)
    for row, seen, read in zip(rows, pictures, captions, strict=True):
        wanted = np.array(COLOURS[next(name for name in COLOURS if name in row.id)], np.float32)
        np.testing.assert_allclose(seen, wanted / np.linalg.norm(wanted), atol=0.02)
        np.testing.assert_allclose(read, ColourEmbedder().embed_texts([row.caption])[0], atol=1e-3)
        assert row.concept == records[row.id].concept
        assert row.caption == next(c.text for c in records[row.id].captions if c.kind == "short")
    assert not list((tmp_path / "v").glob("part-*"))


def test_a_killed_run_goes_on_and_ends_with_the_same_files(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    embed_corpus(corpus, tmp_path / "whole", BOTH)
    done = []

    def killed(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            if len(done) == 2:
                raise KeyboardInterrupt
            done.append(item)
            yield function(item)

    with pytest.raises(KeyboardInterrupt):
        embed_corpus(corpus, tmp_path / "v", BOTH, distribute=killed)
    (tmp_path / "v" / ".part-00009-pictures.npy.1.partial").write_text("torn")
    again = []
    embed_corpus(corpus, tmp_path / "v", BOTH, distribute=lambda f, items: (again.append(i) or f(i) for i in items))
    assert not {number for number, _ in done} & {number for number, _ in again}
    assert files(tmp_path / "v") == files(tmp_path / "whole")
    before = {path: os.stat(path).st_mtime_ns for path in (tmp_path / "v").glob("*.npy")}
    embed_corpus(corpus, tmp_path / "v", BOTH)
    assert {path: os.stat(path).st_mtime_ns for path in (tmp_path / "v").glob("*.npy")} == before


def test_another_corpus_or_embedder_makes_it_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    embed_corpus(corpus, tmp_path / "v", BOTH)
    embed_corpus(corpus, tmp_path / "v", Embedders(pictures="colours"))
    assert not (tmp_path / "v" / "captions.npy").exists()
    assert read_embedders(tmp_path / "v") == Embedders(pictures="colours")
    assert open_embedders(tmp_path / "v", None)[1] is None
    write_shard(corpus / "more" / "records-00000.parquet", [record("new", shape("red", "disc"), [])])
    embed_corpus(corpus, tmp_path / "v", Embedders(pictures="colours"))
    assert read_rows(tmp_path / "v")[0].id == "new"
    assert len(open_vectors(tmp_path / "v" / "pictures.npy")) == 13


def test_a_record_file_without_records_is_no_matter(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    write_shard(corpus / "sprites" / "records-00009.parquet", [])
    embed_corpus(corpus, tmp_path / "v", BOTH)
    assert len(open_vectors(tmp_path / "v" / "pictures.npy")) == len(read_rows(tmp_path / "v")) == 12
    write_shard(tmp_path / "none" / "a" / "records-00000.parquet", [])
    with pytest.raises(InputError, match="no pictures to embed"):
        embed_corpus(tmp_path / "none", tmp_path / "w", BOTH)


def test_the_caption_is_the_plainest_in_the_language(tmp_path: Path) -> None:
    chinese = Embedders(pictures="colours", captions="colours", language="zh")
    corpus = write_corpus(tmp_path / "corpus")
    embed_corpus(corpus, tmp_path / "v", chinese)
    captions = {row.id: row.caption for row in read_rows(tmp_path / "v")}
    assert captions["sprite/red-disc"] == "红色圆"
    assert captions["scene/red"] == "all red"  # it has no Chinese one
    for language, text in (("en", "a red disc"), ("zh", "红色圆")):
        embed_corpus(corpus, tmp_path / "seen", Embedders(pictures="colours", language=language))
        assert {row.id: row.caption for row in read_rows(tmp_path / "seen")}["sprite/red-disc"] == text
    bare = [
        record("bare", shape("red", "disc"), []),
        record("odd", shape("red", "disc"), [Caption("x", "fr", "rouge")]),
    ]
    write_shard(tmp_path / "b" / "a" / "records-00000.parquet", bare)
    embed_corpus(tmp_path / "b", tmp_path / "w", BOTH)
    assert [row.caption for row in read_rows(tmp_path / "w")] == ["", "rouge"]


def test_what_is_not_there_or_broken_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="holds no embedded pictures"):
        read_embedders(tmp_path)
    with pytest.raises(MissingFileError, match="holds no embedded pictures"):
        read_rows(tmp_path)
    corpus = write_corpus(tmp_path / "corpus")
    embed_corpus(corpus, tmp_path / "v", BOTH)
    (tmp_path / "v" / "embedders.json").write_text(json.dumps({"eyes": 2}))
    with pytest.raises(FileFormatError, match="does not name embedders"):
        read_embedders(tmp_path / "v")
    torn = record("torn", shape("red", "disc"), [])
    write_shard(corpus / "a" / "records-00000.parquet", [type(torn)(**vars(torn) | {"picture": b"no picture"})])
    with pytest.raises(FileFormatError, match="record 'torn'"):
        embed_corpus(corpus, tmp_path / "v", BOTH)
