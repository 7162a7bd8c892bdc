from pathlib import Path

import pytest
from hypothesis import settings
from tests.data.small_corpus import write_corpus

# A busy machine is not a failure.
settings.register_profile("no deadline", deadline=None, max_examples=40)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))
