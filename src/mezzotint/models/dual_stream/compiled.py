"""The steps of an MMDiT as compiled code that serves every size, caption and batch without being compiled anew.

As for an S3-DiT (`single_stream/compiled.py`), with two rows of tokens.
"""

from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.models.compiling import Frozen
from mezzotint.models.cuda_graphs import Graphed
from mezzotint.models.dual_stream.attention import in_one_row
from mezzotint.models.dual_stream.geometry import BatchGeometry
from mezzotint.models.dual_stream.model import DualStreamTransformer, Stack, run_blocks


def compile_steps(network: DualStreamTransformer, *, frozen: bool) -> None:
    """Compile what runs at every step, at its first use: as a whole with its weights (`frozen`), or block by block."""
    if not frozen:
        for block in network.layers:
            block.compile(dynamic=True)
    stack: Stack = CompiledStack(frozen=frozen)
    network.stack = stack if frozen else Graphed(stack)  # type: ignore[assignment]


class CompiledStack:
    """Runs blocks on one row of text tokens and one of picture tokens (`model.Stack`)."""

    def __init__(self, *, frozen: bool) -> None:
        self._run = Frozen(run_blocks) if frozen else run_blocks

    def __call__(
        self,
        blocks: nn.ModuleList,
        text: Float[Tensor, "s t d"],
        picture: Float[Tensor, "s p d"],
        text_time: Float[Tensor, "_ d"],
        picture_time: Float[Tensor, "_ d"],
        geometry: BatchGeometry,
    ) -> tuple[Float[Tensor, "1 t d"], Float[Tensor, "1 p d"]]:
        geometry = in_one_row(geometry, len(text_time), len(picture_time))
        text, picture = (x.reshape(1, -1, x.shape[-1]) for x in (text, picture))
        return self._run(blocks, text, picture, text_time, picture_time, geometry)
