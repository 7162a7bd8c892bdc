"""The steps of an S3-DiT as compiled code that serves every size, caption and batch without being compiled anew.

Lengths are symbols in it. How many sequences there are it does not see, because their tokens lie in one row and
attention is one opaque call.
"""

from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.models.compiling import Frozen
from mezzotint.models.cuda_graphs import Graphed
from mezzotint.models.single_stream.geometry import Layout
from mezzotint.models.single_stream.model import NO_HINTS, Hints, SingleStreamTransformer, Stack, run_blocks


def compile_steps(network: SingleStreamTransformer, *, frozen: bool) -> None:
    """Compile what runs at every step, at its first use.

    Args:
        frozen: Each stack as a whole, with its weights in the code (see `models.compiling`); else block by block, where
            equal blocks share one compilation.
    """
    if not frozen:
        for block in (*network.noise_refiner, *network.layers):
            block.compile(dynamic=True)
    stack: Stack = CompiledStack(frozen=frozen)
    network.stack = stack if frozen else Graphed(stack)  # type: ignore[assignment]


class CompiledStack:
    """Runs blocks on one row of tokens (`model.Stack`)."""

    def __init__(self, *, frozen: bool) -> None:
        self._run = Frozen(run_blocks) if frozen else run_blocks

    def __call__(
        self,
        blocks: nn.ModuleList,
        x: Float[Tensor, "*tokens d"],
        gains: Float[Tensor, "layer m 4 d"],
        layout: Layout,
        hints: Hints = NO_HINTS,
    ) -> Float[Tensor, "1 n d"]:
        layout = layout.in_one_row
        if gains.shape[1] == 1:
            layout = layout._replace(rows=None)
        x, hints = _in_one_row(x), {place: _in_one_row(hint) for place, hint in hints.items()}
        return self._run(blocks, x, gains, layout, hints)


def _in_one_row(x: Float[Tensor, "*tokens d"]) -> Float[Tensor, "1 n d"]:
    return x.reshape(1, -1, x.shape[-1])
