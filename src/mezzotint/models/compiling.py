"""How code is compiled for networks that run at every step: lengths are symbols in it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


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


class Frozen:
    """`run(blocks, …)` as compiled code that holds the blocks' weights: code of its own for each stack of blocks."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self._code: dict[tuple[int, ...], Any] = {}  # by the blocks

    def __call__(self, blocks: nn.ModuleList, *arguments: Any) -> Any:
        key = tuple(map(id, blocks))
        if key not in self._code:
            run = self._run
            self._code[key] = compiled(lambda *arguments: run(blocks, *arguments), frozen=True)
        return self._code[key](*arguments)
