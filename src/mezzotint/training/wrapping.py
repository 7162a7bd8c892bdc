"""Options that change a network's memory or speed from outside, and nothing that it computes or how it is saved."""

from collections.abc import Iterable
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute_activations(blocks: Iterable[nn.Module]) -> None:
    """Activation checkpointing: each block keeps its inputs only and runs forward again in the backward pass.

    One more forward pass of time for memory that grows with one block instead of all (Chen et al. 2016).
    """
    for block in blocks:
        # On the instance, so that neither the class nor the names in the state dict change.
        setattr(block, "forward", partial(checkpoint, block.forward, use_reentrant=False))  # noqa: B010


def compile_blocks(blocks: Iterable[nn.Module]) -> None:
    """torch.compile each block by itself: equal blocks share one compilation, lengths stay dynamic."""
    for block in blocks:
        block.compile(dynamic=True)
