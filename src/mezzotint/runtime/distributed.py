"""Several processes that work together, one on each device, started by torchrun."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor

from mezzotint.errors import InputError

T = TypeVar("T")


def process_device(name: str | None) -> str | None:
    """The device of this process where `name` leaves the choice open: each has a GPU of its own, if there are any.

    Raises:
        InputError: This process was not started by torchrun, so that nothing says which GPU is its own.
    """
    if name not in (None, "cuda") or not torch.cuda.is_available():
        return name
    _check_started("LOCAL_RANK")
    return f"cuda:{os.environ['LOCAL_RANK']}"


def several_processes() -> bool:
    """Whether torchrun, or something like it, started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def process_group(device: torch.device) -> Iterator[dist.ProcessGroup]:
    """All processes that torchrun started, connected.

    Raises:
        InputError: This process was not started by torchrun.
    """
    _check_started("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    if device.type == "cuda":
        torch.cuda.set_device(device)  # whole objects are sent by way of the current one
        dist.init_process_group("nccl", device_id=device)
    else:
        dist.init_process_group("gloo")
    try:
        group = dist.group.WORLD
        assert group is not None
        yield group
    finally:
        dist.destroy_process_group()


def _check_started(*told: str) -> None:
    """Torchrun tells its processes these variables, clusters' own starters not always."""
    if any(name not in os.environ for name in told):
        raise InputError("several processes are needed; start them with: torchrun --nproc-per-node N -m -- mezzotint …")


def shares(total: int, size: int) -> list[int]:
    """How many of `total` things each of `size` processes has: as equal as can be, the first ones have more."""
    return [total // size + (rank < total % size) for rank in range(size)]


def own_share(total: int, group: dist.ProcessGroup) -> slice:
    """Which of `total` things, in their order, are this process's."""
    counts, rank = shares(total, group.size()), group.rank()
    start = sum(counts[:rank])
    return slice(start, start + counts[rank])


def gather(own: Shaped[Tensor, "own *k"], total: int, group: dist.ProcessGroup) -> Shaped[Tensor, "total *k"]:
    """Everybody's share, in order, at everybody."""
    counts = shares(total, group.size())
    even = own.new_zeros(counts[0], *own.shape[1:])  # the first share is the largest; collectives want equal ones
    even[: len(own)] = own
    parts = [torch.empty_like(even) for _ in counts]
    dist.all_gather(parts, even, group=group)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def exchange(
    x: Shaped[Tensor, "sent *k"], sent: list[int], received: list[int], group: dist.ProcessGroup
) -> Shaped[Tensor, "received *k"]:
    """Send rows to every process, `sent` of them to each in order, and receive those that each sent to this one."""
    out = x.new_empty(sum(received), *x.shape[1:])
    dist.all_to_all_single(out, x.contiguous(), received, sent, group=group)
    return out


def least(value: int, group: dist.ProcessGroup) -> int:
    """The smallest of all processes' values, at everybody."""
    values = [0] * group.size()
    dist.all_gather_object(values, value, group=group)
    return min(values)


def agreed(value: T, group: dist.ProcessGroup) -> T:
    """The first process's value, at everybody."""
    values = [value]
    dist.broadcast_object_list(values, src=0, group=group)
    return values[0]
