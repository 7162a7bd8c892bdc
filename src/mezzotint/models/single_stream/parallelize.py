"""An S3-DiT on several devices: each has all weights and a share of every step's tokens."""

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.models.attention import Groups, attend
from mezzotint.models.rotary import Rotary
from mezzotint.models.sequence_parallel import check_heads, heads_for_tokens, tokens_for_heads
from mezzotint.models.single_stream.geometry import Layout
from mezzotint.models.single_stream.model import NO_HINTS, Block, Hints, SingleStreamTransformer, Stack
from mezzotint.runtime.distributed import gather, own_share


def divide_tokens(network: SingleStreamTransformer, group: dist.ProcessGroup) -> None:
    """Let every process of the group compute its share of the tokens; all get the whole velocity.

    Raises:
        InputError: The attention heads cannot be divided among the processes.
    """
    check_heads(network.config.n_heads, group)
    for block in (*network.noise_refiner, *network.layers):
        assert isinstance(block, Block)
        block.attention.attend = DividedAttention(group)
    network.stack = DividedStack(network.stack, group)


class DividedAttention:
    """Attention of a share of the tokens to all of them (`attention.Attend`)."""

    def __init__(self, group: dist.ProcessGroup) -> None:
        self.group = group

    @torch.compiler.disable
    def __call__(
        self,
        q: Float[Tensor, "1 own head e"],
        k: Float[Tensor, "1 own head e"],
        v: Float[Tensor, "1 own head e"],
        groups: Groups,
    ) -> Float[Tensor, "1 own head e"]:
        assert isinstance(groups, Tensor)  # tokens are divided in one row
        qkv = heads_for_tokens(torch.stack([q[0], k[0], v[0]], dim=1), int(groups[-1]), self.group)
        every_q, every_k, every_v = qkv[None].unbind(2)
        mixed = attend(every_q, every_k, every_v, groups)
        return tokens_for_heads(mixed[0], q.shape[1], self.group)[None]


class DividedStack:
    """Runs blocks on a share of the tokens and gathers the result (`model.Stack`)."""

    def __init__(self, stack: Stack, group: dist.ProcessGroup) -> None:
        self.stack, self.group = stack, group

    def __call__(
        self,
        blocks: nn.ModuleList,
        x: Float[Tensor, "*tokens d"],
        gains: Float[Tensor, "layer m 4 d"],
        layout: Layout,
        hints: Hints = NO_HINTS,
    ) -> Float[Tensor, "s n d"]:
        assert not hints  # a ControlNet's; `generation.parallel` refuses it
        tokens, whole = x.reshape(-1, x.shape[-1]), layout.in_one_row
        own = own_share(len(tokens), self.group)
        rotary = Rotary(*(table[:, own] for table in whole.rotary))
        rows = None if whole.rows is None else whole.rows[:, own]
        finished = self.stack(blocks, tokens[own], gains, Layout(whole.groups, rotary, rows), hints)
        return gather(finished[0], len(tokens), self.group).view(*layout.rotary.cos.shape[:2], -1)
