import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Daft leaves the pipes of its worker processes to the garbage collector."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"))
