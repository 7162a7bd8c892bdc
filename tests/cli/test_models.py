import json
from pathlib import Path

import pytest
import torch

from mezzotint.cli.main import main
from mezzotint.cli.models import read_card
from mezzotint.models import bundle

CARD = """---
license: apache-2.0
language: [en, zh]
---
# Small

![a sheet](sheet.png)

A model for tests. It draws
nothing.
"""


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "small"
    bundle.write_weights(folder / "vae", {"a": torch.zeros(1000, 300)})
    bundle.write_weights(folder / "transformer", {"a": torch.zeros(600, 1000, dtype=torch.bfloat16)}, max_shard_bytes=1)
    (folder / "model_index.json").write_text("{}")
    (folder / "README.md").write_text(CARD)
    monkeypatch.setattr(bundle, "EMBEDDED", tmp_path)
    return tmp_path


def test_the_table(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    for value in ("small", "0.9 M", "2 MB", "apache-2.0", "A model for tests."):
        assert value in out


def test_json(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["parameters"], found["licence"]) == ("small", 900_000, "apache-2.0")
    assert found["purpose"] == "A model for tests."


def test_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bundle, "EMBEDDED", tmp_path)
    assert main(["models"]) == 0
    assert "No model" in capsys.readouterr().out


def test_cards_without_anything() -> None:
    assert read_card("") == ("", "")
    assert read_card("# Title\n\nno sentence here") == ("", "no sentence here")
    assert read_card("中文模型。第二句。") == ("", "中文模型。")
