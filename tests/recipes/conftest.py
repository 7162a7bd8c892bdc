"""A corpus of drawn shapes and a model that each tiny recipe has added its part to."""

from pathlib import Path

import pytest
from tests.data.small_corpus import write_corpus
from tests.recipes.tiny_runs import options, train


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def towers(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with `vae/`, `text_encoder/` and `tokenizer/`."""
    folder, model = tmp_path_factory.mktemp("towers"), tmp_path_factory.mktemp("model")
    for recipe in ("tiny-vae", "tiny-text"):
        train(recipe, options(corpus, folder / recipe)).export(model)
    return model
