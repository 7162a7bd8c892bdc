"""Guidance parallelism: of a batch with both guidance branches, each process evaluates a share of the rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from mezzotint.flow.guidance import Network
from mezzotint.models.captions import Captions
from mezzotint.runtime.distributed import gather, own_share

Divide = Callable[[Network[Any]], Network[Any]]
"""A network as it is evaluated: by this process alone, or with others."""


def alone(network: Network[Any]) -> Network[Any]:
    """The `Divide` that does nothing."""
    return network


@dataclass(frozen=True)
class DividedRows:
    """A network whose rows several processes share (`flow.guidance.Network`); all get the whole velocity.

    With two processes, one evaluates the positive branch and the other one the negative. A batch with fewer rows than
    processes, as where guidance has ended, is evaluated by everybody.
    """

    network: Network[Any]
    group: dist.ProcessGroup

    def __call__(
        self, x: Float[Tensor, "b c h w"], t: Float[Tensor, "1"], condition: Captions | tuple[Any, ...]
    ) -> Float[Tensor, "b c h w"]:
        if len(x) < self.group.size():
            return self.network(x, t, condition)
        own = own_share(len(x), self.group)
        part = condition.select(range(len(x))[own]) if isinstance(condition, Captions) else condition[own]
        return gather(self.network(x[own], t, part), len(x), self.group)
