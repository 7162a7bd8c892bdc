"""An S3-DiT whose layers a first-block cache may skip."""

from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.models.single_stream.geometry import Layout
from mezzotint.models.single_stream.model import NO_HINTS, Hints, Stack, by_sequence
from mezzotint.models.step_cache import FirstBlockCache, Tokens


class CachedStack:
    """Runs the layers through a cache, and other blocks as they were run (`model.Stack`).

    Hints are the same before and after: those of the first layer count as its own.
    """

    def __init__(self, stack: Stack, layers: nn.ModuleList, cache: FirstBlockCache) -> None:
        self.stack, self.layers, self.cache = stack, layers, cache
        self._first, self._others = layers[:1], layers[1:]

    def __call__(
        self,
        blocks: nn.ModuleList,
        x: Float[Tensor, "*tokens d"],
        gains: Float[Tensor, "layer m 4 d"],
        layout: Layout,
        hints: Hints = NO_HINTS,
    ) -> Float[Tensor, "s n d"]:
        if blocks is not self.layers:
            return self.stack(blocks, x, gains, layout, hints)

        def first(tokens: Tokens) -> Tokens:
            early = {place: hint for place, hint in hints.items() if place == 0}
            return (self.stack(self._first, tokens[0], gains[:1], layout, early).view_as(tokens[0]),)

        def others(tokens: Tokens) -> Tokens:
            late = {place - 1: hint for place, hint in hints.items() if place > 0}
            return (self.stack(self._others, tokens[0], gains[1:], layout, late).view_as(tokens[0]),)

        return self.cache((by_sequence(x, layout),), first, others)[0]
