"""The steps of a ControlNet as compiled code, for all sizes."""

from typing import Any

from mezzotint.models.adapters.control.model import ControlNet
from mezzotint.models.compiling import compiled


def compile_steps(control: ControlNet, *, frozen: bool) -> None:
    """Compile all that it does at a step, at its first use; `frozen`: see `models.compiling`."""
    steps: Any = control
    steps.evaluate = compiled(control.evaluate, frozen=frozen)
