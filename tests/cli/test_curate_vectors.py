"""From a corpus to what says the same, what is found, what is to blame and what is missing, by commands."""

import json
import random
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.curation.vectors.colours import ColourEmbedder
from tests.data.small_corpus import captions, record, shape

from mezzotint.cli.main import main
from mezzotint.curation.prune import read_list
from mezzotint.curation.vectors import catalogue
from mezzotint.curation.vectors.dedup import COMMUNITIES
from mezzotint.data.records import read_records, write_shard
from mezzotint.generation.picture_files import PictureParameters, write_picture

PER_COLOUR = 12
PARAMETERS = PictureParameters(
    prompt="",
    negative_prompt="",
    seed=0,
    steps=1,
    guidance=0.0,
    width=48,
    height=48,
    sampler="euler",
    model="m",
    model_digest="0" * 64,
    version="0",
)


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(catalogue.EMBEDDERS, "colours", lambda device: ColourEmbedder())
    yield
    catalogue.load_embedder.cache_clear()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Discs of four colours, each of another size; green ones also under the captions of red ones."""
    folder = tmp_path_factory.mktemp("corpus")
    records = [
        record(
            f"{colour}-{number}",
            shape(colour, "disc", 32 + number),
            captions(colour, "disc"),
            concept=colour,
            measures={"clarity": float(number)},
        )
        for colour in ("red", "green", "blue", "gold")
        for number in range(PER_COLOUR)
    ]
    wrong = [
        replace(one, id=f"wrong-{number}", captions=tuple(captions("red", "disc")), concept="red")
        for number, one in enumerate(records[PER_COLOUR : 2 * PER_COLOUR])
    ]
    mixed = random.Random(0).sample(records + wrong, k=len(records) + len(wrong))
    for number in range(3):
        write_shard(folder / "discs" / f"records-{number:05d}.parquet", mixed[number::3])
    return folder


@pytest.fixture
def vectors(corpus: Path, tmp_path: Path) -> Path:
    run(f"embed {corpus} --out {tmp_path / 'v'} --pictures colours --captions colours")
    return tmp_path / "v"


def run(command: str) -> None:
    assert main(["curate", *shlex.split(command)]) == 0


def test_dedup_keeps_the_best_of_each_community(
    corpus: Path, vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"dedup {vectors} --out {tmp_path / 'd'} --cosine 0.99 --best clarity --vectors-a-cell 16"
    run(command)
    said = capsys.readouterr().out.splitlines()
    assert said[-2].startswith("60 pictures; 4 communities of two and more, the largest of 24; 56 are to go")
    pruned = read_list(tmp_path / "d" / "prune.jsonl")
    kept = {row.id for row in read_records(corpus, ["id"])} - pruned
    assert kept == {f"{colour}-11" for colour in ("red", "blue", "gold")} | {"green-11"}
    table = [
        row
        for batch in COMMUNITIES.read(tmp_path / "d" / "communities.parquet", COMMUNITIES.schema.names)
        for row in batch.to_pylist()
    ]
    assert {row["stays"] for row in table} == kept
    assert len({row["community"] for row in table if row["id"].startswith(("green", "wrong"))}) == 1
    before = {path.name: path.read_bytes() for path in (tmp_path / "d").glob("*.*")}
    run(command)
    run(f"dedup {vectors} --out {tmp_path / 'least'} --cosine 0.99 --best=-clarity --vectors-a-cell 16")
    assert not {f"{colour}-0" for colour in ("red", "blue")} & read_list(tmp_path / "least" / "prune.jsonl")
    assert {path.name: path.read_bytes() for path in (tmp_path / "d").glob("*.*")} == before
    run(f"prune {corpus} --lists {tmp_path / 'd' / 'prune.jsonl'} --out {tmp_path / 'clean'}")
    assert {row.id for row in read_records(tmp_path / "clean", ["id"])} == kept


def test_retrieval_by_picture_text_and_failure(
    vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape("green", "disc").save(tmp_path / "green.png")

    def found(options: str) -> set[str]:
        capsys.readouterr()
        run(f"retrieve {vectors} --count {PER_COLOUR} {options}")
        lines = capsys.readouterr().out.splitlines()
        cosines = [float(line.split("\t")[0]) for line in lines]
        assert len(lines) == PER_COLOUR
        assert cosines == sorted(cosines, reverse=True)
        return {line.split("\t")[1].split("-")[0] for line in lines}

    assert found("--text 'something blue'") == {"blue"}
    assert found(f"--picture {tmp_path / 'green.png'}") <= {"green", "wrong"}
    assert found(f"--picture {tmp_path / 'green.png'} --text 'a red disc'") == {"wrong"}


def test_diagnosis_from_generated_pictures_and_their_prompts(
    vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that was taught that green is red paints green for red, and all else right."""
    for name, made in (("failed", [("red", "green")] * 3), ("good", [(c, c) for c in ("green", "blue", "gold")])):
        for number, (asked, painted) in enumerate(made):
            (tmp_path / name).mkdir(exist_ok=True)
            parameters = replace(PARAMETERS, prompt=f"a {asked} disc")
            write_picture(tmp_path / name / f"{number}.png", shape(painted, "disc").convert("RGB"), parameters)
    options = f"--failed {tmp_path / 'failed'} --succeeded {tmp_path / 'good'} --cosine 0.95 --vectors-a-cell 16"
    run(f"diagnose {vectors} {options} --out {tmp_path / 'found'}")
    assert read_list(tmp_path / "found" / "prune.jsonl") == {f"wrong-{number}" for number in range(PER_COLOUR)}
    worst = json.loads((tmp_path / "found" / "report.json").read_text())[0]
    assert (worst["members"], worst["pruned"], worst["captions"]) == (PER_COLOUR, True, ["a red disc"])
    assert worst["blame"] == pytest.approx(3, abs=0.1)
    assert "12 pictures are to go" in capsys.readouterr().out


def test_voids_and_what_fills_them(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = [one for one in read_records(corpus) if not one.id.startswith("wrong")]
    thinned = [one for one in right if not one.id.startswith(("blue", "gold")) or one.id == "gold-3"]
    for name, records in (("right", right), ("thin", thinned)):
        write_shard(tmp_path / name / "discs" / "records-00000.parquet", records)
        run(f"embed {tmp_path / name} --out {tmp_path / name / 'v'} --pictures colours")
    options = f"--reference {tmp_path / 'right' / 'v'} --out {tmp_path / 'plan.jsonl'}"
    run(f"voids {tmp_path / 'thin' / 'v'} {options} --budget 21")
    plan = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text().splitlines()]
    assert [(gap["concept"], gap["there"], gap["caption"]) for gap in plan] == [
        ("blue", 0, "a blue disc"),
        ("gold", 1, "a gold disc"),
    ]
    assert sum(gap["wanted"] for gap in plan) == 21
    assert plan[0]["wanted"] == plan[1]["wanted"] + 1  # both end with as many
    assert "2 of 4 concepts are missing" in capsys.readouterr().out
    run(f"voids {tmp_path / 'thin' / 'v'} {options} --budget 100")  # so many that they pass the others
    plan = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text().splitlines()]
    assert sum(gap["wanted"] for gap in plan) == 100
    run(f"voids {tmp_path / 'right' / 'v'} {options} --budget 100")
    assert not (tmp_path / "plan.jsonl").read_text()


def test_what_cannot_be_done_is_one_line(
    corpus: Path, vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    run(f"embed {corpus} --out {bare} --pictures colours")
    (tmp_path / "png").mkdir()
    shape("red", "disc").save(tmp_path / "png" / "a.png")
    capsys.readouterr()
    for command, said in (
        (f"retrieve {vectors}", "--picture, --text, or both"),
        (f"retrieve {tmp_path} --text a", "holds no embedded pictures"),
        (f"retrieve {bare} --text a --picture {tmp_path / 'png' / 'a.png'}", "holds no captions"),
        (f"diagnose {vectors} --failed {tmp_path / 'png'} --out {tmp_path / 'd'}", "does not say its prompt"),
        (f"diagnose {vectors} --failed {bare} --out {tmp_path / 'd'}", "holds no .png"),
        (f"dedup {vectors} --out {tmp_path / 'd'} --best beauty", "no measure 'beauty'"),
        (f"dedup {vectors} --out {tmp_path / 'd'} --workers 0", "from 1 to 256"),
        (f"dedup {vectors} --out {tmp_path / 'd'} --large 0", "--large is 0; it must be 1 or more"),
        (f"dedup {vectors} --out {tmp_path / 'd'} --seed -1", "--seed is -1; it must be 0 or more"),
        (f"diagnose {vectors} --failed {bare} --out {tmp_path / 'd'} --large 0", "--large is 0"),
        (f"diagnose {vectors} --failed {bare} --out {tmp_path / 'd'} --seed -1", "--seed is -1"),
        (f"voids {vectors} --reference {vectors} --out {tmp_path / 'p'} --budget -5", "--budget is -5"),
        (f"train-head {vectors} --labels a.csv --name a --out {tmp_path / 'd'} --seed -1", "--seed is -1"),
        (f"train-quality {corpus} --out {tmp_path / 'd'} --seed -1", "--seed is -1"),
        (f"embed {corpus} --out {tmp_path / 'e'} --pictures nothing", "neither a folder nor one of"),
        (f"voids {vectors} --reference {tmp_path} --out {tmp_path / 'p'}", "holds no embedded pictures"),
    ):
        assert main(["curate", *shlex.split(command)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


def test_the_vectors_are_what_the_embedder_gives(vectors: Path) -> None:
    assert np.load(vectors / "pictures.npy").shape == (60, 3)
