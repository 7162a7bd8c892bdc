"""Several processes that train one network, each on batches of its own; after every step all hold the same weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from mezzotint.data.loader import Batches
from mezzotint.runtime.seeds import Seeds

B_co = TypeVar("B_co", covariant=True)


@dataclass(frozen=True)
class Peers:
    """The processes that train together; without a group there is this one only."""

    group: dist.ProcessGroup | None = None

    @property
    def size(self) -> int:
        return 1 if self.group is None else self.group.size()

    @property
    def rank(self) -> int:
        return 0 if self.group is None else self.group.rank()

    @property
    def leads(self) -> bool:
        """Whether this process reports, validates and saves."""
        return self.rank == 0

    def batches(self, batches: Batches[B_co]) -> Batches[B_co]:
        """This process's share: together they see every batch once."""
        return batches if self.group is None else _EveryNth(batches, self.rank, self.size)

    def seeds(self, seed: int) -> Seeds:
        """Draws of this process's own; the first one's are those of a process alone."""
        return Seeds(seed) if self.leads else Seeds(Seeds(seed).key("process", index=self.rank))

    def sums(self, *numbers: int) -> list[int]:
        """Each number summed over all processes."""
        if self.group is None:
            return list(numbers)
        sums = torch.tensor(numbers, device=self._device)
        dist.all_reduce(sums, group=self.group)
        return sums.tolist()

    def wait(self) -> None:
        """Until all are here."""
        self.sums(0)

    @torch.no_grad()
    def average(self, weights: Sequence[Tensor]) -> None:
        """Make each weight's gradient the mean over all processes; who has none, as of a token that no sample of the
        batch used, counts as zero. All weights have one dtype.
        """
        if self.group is None:
            return
        used = [w for w, count in zip(weights, self.sums(*(w.grad is not None for w in weights)), strict=True) if count]
        flat = torch.cat([(torch.zeros_like(w) if w.grad is None else w.grad).flatten() for w in used])
        dist.all_reduce(flat, group=self.group)
        flat /= self.size
        for weight, part in zip(used, flat.split([weight.numel() for weight in used]), strict=True):
            weight.grad = part.view_as(weight)

    @property
    def _device(self) -> torch.device:
        """Where NCCL wants its tensors."""
        return torch.device("cuda" if dist.get_backend(self.group) == "nccl" else "cpu")


ALONE = Peers()


class _EveryNth(Generic[B_co]):
    def __init__(self, batches: Batches[B_co], first: int, step: int) -> None:
        self._batches, self._first, self._step = batches, first, step

    def at(self, step: int) -> B_co:
        return self._batches.at(step * self._step + self._first)
