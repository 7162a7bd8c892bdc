"""The commands of the guide's section "Vectors", run in its order on the fixture corpus."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.test_curate_vectors import PARAMETERS
from tests.data.small_corpus import shape
from tests.guides.blocks import blocks, commands

from mezzotint.cli.main import main
from mezzotint.curation.prune import read_list
from mezzotint.data.records import read_records, write_shard
from mezzotint.generation.picture_files import write_picture

GUIDE = Path("docs/guides/curate.md")
FIXTURE = Path("tests/fixtures/corpus")
(VECTORS,) = (block for block in blocks(GUIDE) if "curate embed" in block.text)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the guide's reader has: a clean corpus, failed and good pictures, a reference."""
    folder = tmp_path_factory.mktemp("guide")
    shutil.copytree(FIXTURE, folder / "reference")
    measured = [replace(record, measures={"clarity": 1.0}) for record in read_records(FIXTURE)]
    write_shard(folder / "clean" / "curated" / "records-00000.parquet", measured)
    for name, prompt in (("failed", "a red apple"), ("good", "a dog")):
        (folder / name).mkdir()
        write_picture(folder / name / "0000.png", shape("gold", "disc"), replace(PARAMETERS, prompt=prompt))
    return folder


def test_the_commands_run_one_after_another(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    for command in commands(VECTORS):
        assert main(command) == 0
    whole, unique = ({record.id for record in read_records(Path(name), ["id"])} for name in ("clean", "unique"))
    assert whole - unique == read_list(Path("alike/prune.jsonl"))
    assert json.loads(Path("blame/report.json").read_text())
    assert Path("plan.jsonl").is_file()
