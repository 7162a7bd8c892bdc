"""What a recipe is: a complete configuration that, given data and a machine, becomes a run."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from mezzotint.data.loader import Batches
from mezzotint.errors import InputError, MissingFileError
from mezzotint.training.learning_rate import Schedule, trapezoid
from mezzotint.training.objective import Objective
from mezzotint.training.optimizers import OptimizerConfig
from mezzotint.training.state import TrainState
from mezzotint.training.trainer import FitConfig, Probes

VALIDATION_LOSS = "validation_loss"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a recipe leaves to its user. None keeps the recipe's own value.

    Attributes:
        data: The folder to learn from. mix: Other folders, each with its share of the steps; `data` has the rest.
        run: The run's own folder. model: A model folder to build on.
        start: A model whose transformer's weights a transformer's recipe starts from.
        steps, minutes: How long. batch: Samples a step. lr: Peak learning rate.
        processes: How many share each step's batch.
    """

    data: Path
    mix: Mapping[Path, float]
    run: Path
    model: str | None
    start: str | None
    steps: int | None
    minutes: float | None
    batch: int | None
    lr: float | None
    seed: int
    device: torch.device
    dtype: torch.dtype
    compile: bool
    recompute: bool
    processes: int = 1

    def model_name(self, why: str) -> str:
        if self.model is None:
            raise InputError(f"this recipe needs --model, a model folder {why}")
        return self.model


@dataclass(frozen=True, kw_only=True)
class Run:
    """A recipe that met its data: what `fit` takes, and how to write the outcome as a part of a model folder."""

    config: FitConfig
    state: TrainState
    objective: Objective[Any]
    batches: Batches[Any]
    probes: Probes[Any]
    export: Callable[[Path], None]


@runtime_checkable
class Recipe(Protocol):
    def prepare(self, options: RunOptions) -> Run:
        """Read what is needed and build the run; trains nothing yet."""
        ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long, how fast and how often: the same for every kind of network.

    The learning rate rises over `warmup` steps, stays, and falls to 0 over the last `cooldown` share of the steps.

    Attributes:
        batch: Samples a step. clip: Largest norm of the gradient. average: Largest decay of the running average.
        validate_every, …: In steps.
    """

    steps: int
    batch: int
    optimizer: OptimizerConfig
    warmup: int
    cooldown: float
    clip: float
    average: float
    log_every: int
    validate_every: int
    sample_every: int
    checkpoint_every: int
    keep_checkpoints: int

    def under(self, options: RunOptions) -> "Plan":
        """This plan with the user's steps and learning rate, and one process's share of the batch."""
        for name, least in (("steps", 0), ("batch", 1), ("minutes", 0)):
            value = getattr(options, name)
            if value is not None and value < least:
                raise InputError(f"--{name} is {value}; it must be {least} or more")
        if options.lr is not None and not 0 < options.lr < float("inf"):
            raise InputError(f"--lr is {options.lr}; it must be above 0")
        batch = options.batch or self.batch
        if batch % options.processes:
            raise InputError(f"a batch of {batch} does not divide among {options.processes} processes; change --batch")
        return replace(
            self,
            steps=self.steps if options.steps is None else options.steps,
            batch=batch // options.processes,
            optimizer=self.optimizer if options.lr is None else self.optimizer.with_rate(options.lr),
        )

    @property
    def schedule(self) -> Schedule:
        return partial(trapezoid, warmup=self.warmup, total=self.steps, cooldown=round(self.cooldown * self.steps))

    def state(self, module: nn.Module, options: RunOptions) -> TrainState:
        return TrainState(
            module,
            optimizer=self.optimizer,
            schedule=self.schedule,
            clip=self.clip,
            average=self.average,
            device=options.device,
            dtype=options.dtype,
        )

    def fit_config(self, options: RunOptions) -> FitConfig:
        return FitConfig(
            steps=self.steps,
            minutes=options.minutes,
            seed=options.seed,
            log_every=self.log_every,
            validate_every=self.validate_every,
            sample_every=self.sample_every,
            checkpoint_every=self.checkpoint_every,
            keep_checkpoints=self.keep_checkpoints,
            best_by=VALIDATION_LOSS,
        )


def check_data(options: RunOptions, made_by: str, *, takes: Collection[str] = ()) -> None:
    """That the folders to learn from are there, and that nothing is asked for that not every recipe `takes`."""
    for name in ("mix", "model", "start", "compile", "recompute"):
        if getattr(options, name) and name not in takes:
            raise InputError(f"this recipe has no use for --{name}; leave it out")
    for folder in (options.data, *options.mix):
        if not folder.is_dir():
            raise MissingFileError(f"data folder {folder} does not exist; {made_by} makes one")
