"""Options that change a network's memory or speed from outside, and nothing that it computes or how it is saved."""

from collections.abc import Iterable
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from mezzotint.models.single_stream.model import Attention

VARIANTS = 32  # of a block's compiled code; PyTorch would stop at 8


def recompute_activations(blocks: Iterable[nn.Module]) -> None:
    """Activation checkpointing: each block keeps its inputs only and runs forward again in the backward pass.

    One more forward pass of time for memory that grows with one block instead of all (Chen et al. 2016).
    """
    for block in blocks:
        # On the instance, so that neither the class nor the names in the state dict change.
        setattr(block, "forward", partial(checkpoint, block.forward, use_reentrant=False))  # noqa: B010


def compile_blocks(blocks: Iterable[nn.Module]) -> None:
    """torch.compile each block by itself: equal blocks share one compilation, lengths stay dynamic.

    Attention runs between two pieces of compiled code, since how its tokens are grouped differs from batch to batch.
    Code is made for each number of groups, with and without gradients; what has none runs as it is, more slowly.
    """
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, VARIANTS)
    for block in blocks:
        for module in block.modules():
            if isinstance(module, Attention):
                module.attend = torch.compiler.disable(module.attend)
        block.compile(dynamic=True)
