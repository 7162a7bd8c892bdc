"""The contracts between the trainer and what it trains."""

from collections.abc import Mapping
from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor

from mezzotint.runtime.seeds import Seeds
from mezzotint.training.state import TrainState

Metrics = Mapping[str, float | Tensor]
"""Name to number; a 0-d tensor is left on its device until it is reported."""


@runtime_checkable
class Batch(Protocol):
    """Samples of one step."""

    def __len__(self) -> int: ...


B = TypeVar("B", bound=Batch)
B_contra = TypeVar("B_contra", bound=Batch, contravariant=True)


@runtime_checkable
class Objective(Protocol[B_contra]):
    """A training method, whole: what is sampled, computed, stepped and reported in one step.

    Every random draw comes from `rng` with a purpose and `state.step`.
    """

    def step(self, state: TrainState, batch: B_contra, rng: Seeds) -> Metrics: ...
