"""What a pipeline asks of a kind of model, and of what that model makes of a request.

A model (`z_image.py`, …) knows its sizes and its prompts and turns a request into a task. A task (`text_to_image.py`,
`image_to_image.py`, …) has the schedule and readies one batch after another for a sampler.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from mezzotint.flow.guidance import Denoiser
from mezzotint.flow.samplers import OnStep, ignore
from mezzotint.generation.guidance_parallel import Divide
from mezzotint.generation.inputs import Inputs
from mezzotint.generation.placement import Placement
from mezzotint.generation.request import Job, Request
from mezzotint.generation.settings import Settings
from mezzotint.models.sources import Sources


class Run(NamedTuple):
    """One batch before its first step.

    Attributes:
        x: The state at the task's first sigma, fp32, on the model's device.
        on_step: Called after each step with its index and the state, which it may change in place.
    """

    x: Float[Tensor, "b c h w"]
    denoise: Denoiser
    on_step: OnStep = ignore


@runtime_checkable
class Task(Protocol):
    """A request that its model has understood: everything that all batches share is done."""

    @property
    def sigmas(self) -> Float[Tensor, "sigmas"]:
        """From the noise that a run begins with down to 0."""
        ...

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """Of the fp32 numbers that are drawn from each picture's seed: channels, rows and columns."""
        ...

    def run(self, jobs: Sequence[Job], noise: Float[Tensor, "b _ h w"]) -> Run:
        """A batch, ready for a sampler."""
        ...


@runtime_checkable
class Model(Protocol):
    """One kind of published model, loaded."""

    transformer: Any
    autoencoder: Any
    text: Any
    divide: Divide  # how the network is evaluated where several processes make a picture
    edits: bool  # whether pictures that it is given are references; else one is what it begins with

    @classmethod
    def load(
        cls, model: Path | Sources, device: torch.device, dtype: torch.dtype, placement: Placement = ...
    ) -> "Model":
        """
        Raises:
            MissingFileError, FileFormatError: A file is missing, broken, or does not fit the others.
        """
        ...

    @property
    def networks(self) -> Sequence[Any]:
        """What runs at every step; the `evaluate` of each is all of it that is worth compiling."""
        ...

    @property
    def defaults(self) -> Settings: ...

    def defaults_for(self, inputs: Inputs) -> Settings:
        """Its defaults, where the pictures that it is given say more about the size."""
        ...

    def strength(self, inputs: Inputs) -> float | None:
        """The share of the steps that are run on an image to begin with; None where none is begun with."""
        ...

    def tokens(self, request: Request) -> int:
        """Tokens of one picture and its references in one guidance branch; by them batches are made.

        Raises:
            InputError: It cannot make this size.
        """
        ...

    def task(self, request: Request) -> Task:
        """
        Raises:
            InputError: It cannot make the size, take a prompt whole, or use the pictures that it is given.
        """
        ...
