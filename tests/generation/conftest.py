from pathlib import Path

import pytest
from tests.generation.tiny_model import write_model

from mezzotint.generation.pipeline import Pipeline


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def pipe(model: Path) -> Pipeline:
    return Pipeline.from_pretrained(model, device="cpu", dtype="float32")
