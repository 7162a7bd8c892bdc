import gc
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Daft leaves the pipes of its worker processes to the garbage collector, and waits 5 s for one to end.

    One that has loaded torch takes longer on a busy machine.
    """
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"))


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a failed run left is collected here, and in no later test."""
    yield
    gc.collect()
