from pathlib import Path

import pytest
from tests.data.small_corpus import write_corpus
from tests.generation.small_towers import write_towers

from mezzotint.cli.encode import _towers
from mezzotint.cli.main import main
from mezzotint.data.shards import LatentShards
from mezzotint.models.bundle import EMBEDDED


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_towers(tmp_path_factory.mktemp("model"))


def encode(*arguments: object) -> int:
    return main(["encode", *map(str, arguments)])


def test_it_ends_with_one_line_that_says_what_is_there(
    corpus: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert encode(corpus, "--model", model, "--out", out, "--size", "48x32", "--captions-per-picture", 2) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{out}: 12 pictures and 20 captions in 5 shards, ")
    assert said.out.count("\n") == 1
    assert said.err == ""
    shards = LatentShards(out)
    assert [str(bucket) for bucket in shards.buckets] == ["48x32"]
    shards.verify()


def test_parts_and_groups_choose_what_is_encoded(corpus: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert encode(corpus, "--model", model, "--out", out, "--size", "32", "--groups", "round") == 0
    assert sorted(LatentShards(out).ids) == [f"sprite/{colour}-disc" for colour in ("blue", "gold", "green", "red")]
    listed = tmp_path / "listed.txt"
    listed.write_text("# what is round\ndisc a disc\ntriangle\n")
    only = tmp_path / "only"
    assert encode(corpus, "--model", model, "--out", only, "--size", "32", "--concepts", listed) == 0
    assert LatentShards(only).ids == LatentShards(out).ids
    assert encode(corpus, "--model", model, "--out", tmp_path / "scenes", "--size", "32", "--parts", "scenes") == 0
    assert all(id.startswith("scene/") for id in LatentShards(tmp_path / "scenes").ids)
    arguments = ("--size", "32", "--parts", "sprites", "--caption-kinds", "long", "tags")
    assert encode(corpus, "--model", model, "--out", tmp_path / "said", *arguments) == 0
    said = LatentShards(tmp_path / "said")
    assert {caption.kind for sample in range(len(said)) for caption in said.texts(sample)} == {"long", "tags"}


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"--size": "102"}, "size 102 will not do: sides must be multiples of 4"),
        ({"--size": "large"}, "size 'large' is not WIDTHxHEIGHT"),
        ({"--variants": "0"}, "--variants is 0; it must be 1 or more"),
        ({"--captions-per-picture": "-1"}, "--captions-per-picture is -1; it must be 1 or more"),
        ({"--model": "no-such-model"}, "model 'no-such-model' is neither a folder nor an embedded model"),
        ({"--dtype": "int8"}, "dtype 'int8' is not known"),
        ({"--variants": "many"}, "variants"),
        ({"--concepts": "no-such-file"}, "concepts no-such-file cannot be read"),
        ({"--concepts": __file__}, "names no concept of this corpus"),
        ({"--caption-kinds": "loud"}, "no caption is of the kind 'loud'; the kinds of this corpus: long, short, tags"),
        ({"--groups": "oval"}, "no picture is of the group 'oval'; the groups of this corpus: round, square"),
    ],
)
def test_a_wrong_option_is_one_clear_line(
    corpus: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changed: dict[str, str],
    complaint: str,
) -> None:
    options = {"--model": str(model), "--out": str(tmp_path / "out")} | changed
    assert encode(corpus, *(word for pair in options.items() for word in pair)) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert complaint in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_corpus_that_is_none_is_named(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode(tmp_path, "--model", model, "--out", tmp_path / "out") == 2
    assert f"no records in {tmp_path}" in capsys.readouterr().err


def test_a_broken_model_is_named(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = write_towers(tmp_path / "model")
    weights = next((broken / "vae").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-10])
    assert encode(corpus, "--model", broken, "--out", tmp_path / "out") == 2
    assert str(weights) in capsys.readouterr().err


def test_another_model_into_the_same_folder_is_refused(
    corpus: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_towers(tmp_path / "other", seed=1)
    assert encode(corpus, "--model", model, "--out", tmp_path / "out", "--size", "32") == 0
    assert encode(corpus, "--model", other, "--out", tmp_path / "out", "--size", "32") == 2
    assert "was encoded otherwise (vae: " in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(
    corpus: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert encode(corpus, "--model", model, "--out", tmp_path / "file" / "out") == 2
    assert "cannot write" in capsys.readouterr().err


def test_an_embedded_name_means_the_embedded_model_whatever_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in every other command; the folder of that name is `./mini`."""
    (tmp_path / "mini" / "vae").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert _towers("mini") == EMBEDDED / "mini"
    assert _towers("./mini").resolve() == tmp_path.resolve() / "mini"
