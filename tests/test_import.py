"""Importing the package costs nothing: no torch until something needs it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mezzotint


@pytest.mark.parametrize("module", ["mezzotint", "mezzotint.errors", "mezzotint.cli.main"])
def test_no_torch_at_import(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("verb", [path.stem for path in sorted(Path("src/mezzotint/cli").glob("[a-z]*.py"))])
def test_no_torch_for_help(verb: str) -> None:
    code = f"import sys, mezzotint.cli.{verb}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_generating_needs_the_core_only() -> None:
    """Packages of the extras are hidden: `make generate` installs none of them."""
    with Path("pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"].values()
    names = {re.split(r"[\[<>=~]", requirement)[0].replace("-", "_") for extra in extras for requirement in extra}
    # Of these the core has its own use: diffusers imports peft where there is one, huggingface-hub needs fsspec.
    hidden = dict.fromkeys(names - {"mezzotint", "peft", "fsspec"})
    code = f"import sys; sys.modules |= {hidden}; import mezzotint.generation.pipeline, mezzotint.cli.generate"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_is_what_is_exported() -> None:
    assert mezzotint.__all__ == ["MezzotintError", "Pipeline", "__version__"]
    assert all(getattr(mezzotint, name) for name in mezzotint.__all__)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="Pipelines"):
        mezzotint.Pipelines  # noqa: B018
