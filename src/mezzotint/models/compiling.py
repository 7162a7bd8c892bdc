"""How code is compiled for networks that run at every step: lengths are symbols in it."""

from collections.abc import Callable
from typing import Any

import torch


def compiled(function: Callable[..., Any], *, frozen: bool) -> Any:
    """The function as compiled code, for all sizes.

    Args:
        frozen: For a processor: the code holds the weights, packed as its products want them (inductor's "freezing").
            That takes their memory a second time. Weights that change afterwards change nothing, until
            `torch._dynamo.reset()` makes the code forget them.
    """
    code = torch.compile(function, dynamic=True)
    if not frozen:
        return code
    from torch._inductor import config  # a second to import

    return config.patch(freezing=True)(code)  # among torch.compile's options it does nothing: the tracer has to see it
