"""Sequence parallelism as in DeepSpeed-Ulysses (Jacobs et al. 2023, arXiv 2309.14509): every process has some tokens.

Everything but attention works on a token by itself. For attention the processes exchange: tokens with all heads become
all tokens with some heads, and back.
"""

import torch.distributed as dist
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.runtime.distributed import exchange, shares


def check_heads(heads: int, group: dist.ProcessGroup) -> None:
    """
    Raises:
        InputError: The heads cannot be shared evenly.
    """
    if heads % group.size():
        fitting = [size for size in range(2, heads + 1) if heads % size == 0]
        raise InputError(
            f"{heads} attention heads cannot be divided among {group.size()} processes; "
            f"{', '.join(map(str, fitting))} would do, or guidance parallelism"
        )


def heads_for_tokens(
    x: Float[Tensor, "own kind head e"], total: int, group: dist.ProcessGroup
) -> Float[Tensor, "total kind some_heads e"]:
    """From this process's tokens with all heads to all tokens with this process's heads."""
    size = group.size()
    sent = rearrange(x, "n kind (part head) e -> (part n) kind head e", part=size)
    return exchange(sent, [len(x)] * size, shares(total, size), group)


def tokens_for_heads(
    x: Float[Tensor, "total some_heads e"], own: int, group: dist.ProcessGroup
) -> Float[Tensor, "own head e"]:
    """The way back; `own` is how many tokens this process has."""
    size = group.size()
    received = exchange(x, shares(len(x), size), [own] * size, group)
    return rearrange(received, "(part n) head e -> n (part head) e", part=size)
