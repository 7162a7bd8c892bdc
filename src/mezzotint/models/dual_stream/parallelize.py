"""An MMDiT on several devices: each has all weights and a share of every step's tokens, of each stream."""

import torch
import torch.distributed as dist
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.models.dual_stream.attention import Groups, Projected, attend_jointly, in_one_row
from mezzotint.models.dual_stream.geometry import BatchGeometry, StreamLayout
from mezzotint.models.dual_stream.model import Block, DualStreamTransformer, Stack
from mezzotint.models.rotary import Rotary
from mezzotint.models.sequence_parallel import check_heads, heads_for_tokens, tokens_for_heads
from mezzotint.runtime.distributed import gather, own_share


def divide_tokens(network: DualStreamTransformer, group: dist.ProcessGroup) -> None:
    """Let every process of the group compute its share of the tokens; all get the whole velocity.

    Raises:
        InputError: The attention heads cannot be divided among the processes.
    """
    check_heads(network.config.n_heads, group)
    for block in network.layers:
        assert isinstance(block, Block)
        block.attend = DividedAttention(group)
    network.stack = DividedStack(network.stack, group)


class DividedAttention:
    """Attention of a share of both streams' tokens to all of them (`attention.AttendJointly`)."""

    def __init__(self, group: dist.ProcessGroup) -> None:
        self.group = group

    @torch.compiler.disable
    def __call__(
        self, text: Projected, picture: Projected, groups: Groups
    ) -> tuple[Float[Tensor, "1 t d"], Float[Tensor, "1 p d"]]:
        assert isinstance(groups, Tensor)  # tokens are divided in one row
        streams = [
            self._all_tokens(stream, int(total)) for stream, total in zip((text, picture), groups[-1], strict=True)
        ]
        mixed = attend_jointly(streams[0], streams[1], groups)
        heads = streams[0].v.shape[2]
        own = [
            tokens_for_heads(rearrange(x[0], "n (head e) -> n head e", head=heads), stream.v.shape[1], self.group)
            for x, stream in zip(mixed, (text, picture), strict=True)
        ]
        return own[0].flatten(1)[None], own[1].flatten(1)[None]

    def _all_tokens(self, stream: Projected, total: int) -> Projected:
        qkv = torch.cat([stream.qk[0], stream.v[0][:, None]], dim=1)
        everything = heads_for_tokens(qkv, total, self.group)[None]
        return Projected(everything[:, :, :2], everything[:, :, 2])


class DividedStack:
    """Runs blocks on a share of the tokens and gathers the result (`model.Stack`)."""

    def __init__(self, stack: Stack, group: dist.ProcessGroup) -> None:
        self.stack, self.group = stack, group

    def __call__(
        self,
        blocks: nn.ModuleList,
        text: Float[Tensor, "s t d"],
        picture: Float[Tensor, "s p d"],
        text_time: Float[Tensor, "_ d"],
        picture_time: Float[Tensor, "_ d"],
        geometry: BatchGeometry,
    ) -> tuple[Float[Tensor, "s t d"], Float[Tensor, "s p d"]]:
        whole = in_one_row(geometry, len(text_time), len(picture_time))
        streams = text.flatten(0, 1), picture.flatten(0, 1)
        own = [own_share(len(x), self.group) for x in streams]
        divided = whole._replace(text=_part(whole.text, own[0]), picture=_part(whole.picture, own[1]))
        parts = [x[share][None] for x, share in zip(streams, own, strict=True)]
        finished = self.stack(blocks, parts[0], parts[1], text_time, picture_time, divided)
        gathered = [gather(part[0], len(x), self.group) for part, x in zip(finished, streams, strict=True)]
        return gathered[0].view_as(text), gathered[1].view_as(picture)


def _part(layout: StreamLayout, own: slice) -> StreamLayout:
    rotary = Rotary(*(table[:, own] for table in layout.rotary))
    return layout._replace(rotary=rotary, rows=None if layout.rows is None else layout.rows[:, own])
