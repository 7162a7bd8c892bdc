"""Importing the package costs nothing: no torch until something needs it."""

import subprocess
import sys

import pytest

import mezzotint


@pytest.mark.parametrize("module", ["mezzotint", "mezzotint.errors", "mezzotint.cli.main"])
def test_no_torch_at_import(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_all_is_what_is_exported() -> None:
    assert mezzotint.__all__ == ["MezzotintError", "Pipeline", "__version__"]
    assert all(getattr(mezzotint, name) for name in mezzotint.__all__)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="Pipelines"):
        mezzotint.Pipelines  # noqa: B018
