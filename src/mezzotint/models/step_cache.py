"""First-block cache: a step at which the first block does almost what it did at an earlier one skips all the others.

What the others add to the tokens changes slowly from step to step, and the first block tells when it does not (the
first-block cache of ParaAttention, in diffusers `FirstBlockCacheConfig`; it simplifies TeaCache, Liu et al. 2024, arXiv
2411.19108). Pictures change with it: docs/benchmarks.md has by how much.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Tokens = tuple[Float[Tensor, "s n d"], ...]
"""The tokens of each stream; those of the last one decide."""


class FirstBlockCache:
    """What a run of steps keeps; one for each batch.

    Attributes:
        threshold: The others are skipped where mean |r − r'| < threshold · mean |r'|, r being what the first block adds
            to the tokens, and r' what it added at the last step at which all blocks ran. 0 skips none.
        steps, skipped: Of the run so far.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.steps = self.skipped = 0
        self._first: Tensor | None = None
        self._others: Tokens = ()

    def __call__(self, x: Tokens, first: Callable[[Tokens], Tokens], others: Callable[[Tokens], Tokens]) -> Tokens:
        """Tokens through the first block, and through the others or past them."""
        begun = first(x)
        residual = begun[-1] - x[-1]
        self.steps += 1
        if self._is_near(residual):
            self.skipped += 1
            return tuple(tokens + kept for tokens, kept in zip(begun, self._others, strict=True))
        finished = others(begun)
        self._first = residual
        self._others = tuple(after - before for after, before in zip(finished, begun, strict=True))
        return finished

    def _is_near(self, residual: Float[Tensor, "s n d"]) -> bool:
        kept = self._first
        if kept is None or kept.shape != residual.shape:  # guidance that ends on the way makes another batch
            return False
        change = (residual - kept).abs().mean(dtype=torch.float32)
        return bool(change < self.threshold * kept.abs().mean(dtype=torch.float32))
