"""Mezzotint: the complete system of an efficient text-to-image foundation model."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mezzotint.errors import MezzotintError as MezzotintError
    from mezzotint.generation.pipeline import Pipeline as Pipeline

__version__ = "0.1.0"
__all__ = ["MezzotintError", "Pipeline", "__version__"]

# Imported on first use (PEP 562), so that `import mezzotint` does not import torch.
_HOMES = {"Pipeline": "mezzotint.generation.pipeline", "MezzotintError": "mezzotint.errors"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mezzotint' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
