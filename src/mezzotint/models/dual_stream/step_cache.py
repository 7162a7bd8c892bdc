"""An MMDiT whose layers a first-block cache may skip; the picture's stream decides."""

from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.models.dual_stream.geometry import BatchGeometry
from mezzotint.models.dual_stream.model import Stack
from mezzotint.models.step_cache import FirstBlockCache, Tokens


class CachedStack:
    """Runs the layers through a cache (`model.Stack`)."""

    def __init__(self, stack: Stack, layers: nn.ModuleList, cache: FirstBlockCache) -> None:
        self.stack, self.cache = stack, cache
        self._first, self._others = layers[:1], layers[1:]

    def __call__(
        self,
        blocks: nn.ModuleList,
        text: Float[Tensor, "s t d"],
        picture: Float[Tensor, "s p d"],
        text_time: Float[Tensor, "_ d"],
        picture_time: Float[Tensor, "_ d"],
        geometry: BatchGeometry,
    ) -> tuple[Float[Tensor, "s t d"], Float[Tensor, "s p d"]]:
        def through(some: nn.ModuleList, tokens: Tokens) -> Tokens:
            after = self.stack(some, tokens[0], tokens[1], text_time, picture_time, geometry)
            return tuple(own.view_as(before) for own, before in zip(after, tokens, strict=True))

        cached = self.cache(
            (text, picture), lambda tokens: through(self._first, tokens), lambda tokens: through(self._others, tokens)
        )
        return cached[0], cached[1]
