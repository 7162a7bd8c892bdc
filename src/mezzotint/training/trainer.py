"""The loop around every objective: batches, steps, metrics, validation, samples, checkpoints, a clean stop."""

import math
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Generic, Literal

from torch import Tensor

from mezzotint.data.loader import Batches, Prefetched
from mezzotint.errors import FileFormatError, MezzotintError
from mezzotint.runtime import checkpoints
from mezzotint.runtime.tracking import Tracker
from mezzotint.training.data_parallel import ALONE, Peers
from mezzotint.training.grid import write_sheet
from mezzotint.training.interruption import polite_stop
from mezzotint.training.objective import B, Metrics, Objective
from mezzotint.training.progress_line import ProgressLine
from mezzotint.training.state import TrainState

TIMINGS = frozenset({"seconds", "samples_per_second", "flops_per_second"})
"""The metrics that differ between two runs of the same seed; all others are equal bit for bit on one CPU."""


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How long and how often, in steps. `minutes` limits the training time of this call (None: no limit)."""

    steps: int
    minutes: float | None
    seed: int
    log_every: int
    validate_every: int
    sample_every: int
    checkpoint_every: int
    keep_checkpoints: int
    best_by: str  # the validation metric whose lowest value marks the best checkpoint


@dataclass(frozen=True, kw_only=True)
class Probes(Generic[B]):
    """What a recipe may measure beside the loss.

    Attributes:
        validate: Metrics of the state on fixed data with fixed noise.
        sample: Pictures in [−1, 1] from the state, for the sheet.
        flops: Floating-point operations of training on one batch (forward and backward, products and attention only).
    """

    validate: Callable[[TrainState], Metrics] | None = None
    sample: Callable[[TrainState], Tensor] | None = None
    flops: Callable[[B], float] | None = None


@dataclass(frozen=True)
class Outcome:
    step: int
    reason: Literal["finished", "minutes", "interrupted"]


def fit(
    config: FitConfig,
    state: TrainState,
    objective: Objective[B],
    batches: Batches[B],
    folder: Path,
    probes: Probes[B],
    peers: Peers = ALONE,
) -> Outcome:
    """Train from `folder`'s newest checkpoint, or from the start, until the steps, the minutes or a signal end it.

    Writes `metrics.jsonl`, `checkpoints/`, `samples/step-00001000.png` and a progress line on stderr. On one CPU with
    the same number of threads, a run that was stopped or killed any number of times ends with the weights and the
    metrics (all but `TIMINGS`) of one that was not.

    With several `peers`, each of which calls this with equal arguments and sees the same folder, a step takes a batch
    of each; the first one alone writes, and the metrics are of its batches.

    Raises:
        FileFormatError: There are checkpoints and none can be read, or they are another network's.
        MezzotintError: The loss is not a finite number, or the processes see different checkpoints.
    """
    history = resume(state, folder / "checkpoints")
    state.join(peers)
    if peers.sums(state.step) != [state.step * peers.size]:
        raise MezzotintError(f"the processes do not see the same checkpoints in {folder}; give them one shared folder")
    with polite_stop() as stop_asked, closing(_loop(config, state, folder, probes, history)) as loop:
        rng, begin, ahead = peers.seeds(config.seed), state.seconds, Prefetched(peers.batches(batches), ahead=1)
        reason = None
        while reason is None and state.step < config.steps:
            batch = ahead.at(state.step)
            metrics = objective.step(state, batch, rng)
            state.step += 1
            samples, asked = peers.sums(len(batch), stop_asked())
            state.samples += samples
            loop.count(batch, metrics, samples)
            over = config.minutes is not None and state.seconds - begin >= 60 * config.minutes
            reason = _stop_reason(bool(asked), bool(*peers.sums(over and peers.leads)))
            loop.after_step(stopping=reason is not None)
        peers.wait()  # until the first one has saved
    return Outcome(state.step, reason if reason is not None and state.step < config.steps else "finished")


def _stop_reason(asked: bool, over: bool) -> Literal["minutes", "interrupted"] | None:
    if asked:
        return "interrupted"
    return "minutes" if over else None


@dataclass
class History:
    """What the loop remembers beside the state: it goes into every checkpoint.

    Attributes:
        tail: Metrics of the steps since the last logged line.
        validation: The metric that checkpoints are judged by, if it was taken at this very step.
        best: The lowest one so far.
    """

    tail: dict[str, list[float]] = field(default_factory=dict)
    validation: float | None = None
    best: float | None = None

    @property
    def new_best(self) -> float | None:
        return self.validation if self.validation == self.best else None

    def judge(self, validation: float | None) -> None:
        self.validation = validation
        if validation is not None and (self.best is None or validation < self.best):
            self.best = validation


def resume(state: TrainState, folder: Path) -> History:
    """Bring `state` to the newest readable checkpoint, if there is one; returns the history saved with it.

    A checkpoint that cannot be read is named in a warning on stderr and the one before it is taken.
    """
    places = checkpoints.steps(folder)
    for place in reversed(places):
        try:
            tensors, saved = checkpoints.load(place)
        except FileFormatError as broken:
            if place == places[0]:
                raise
            print(f"warning: {broken}; trying the one before", file=sys.stderr)
            continue
        state.load_tensors(tensors)
        state.step, state.samples, state.seconds = saved["step"], saved["samples"], saved["seconds"]
        history = History(**saved["history"])
        if history.new_best is not None:  # a kill may have come between saving and marking
            checkpoints.mark_best(folder, place, history.new_best)
        return history
    return History()


def _loop(
    config: FitConfig, state: TrainState, folder: Path, probes: Probes[B], history: History
) -> "_Loop[B] | _Follower":
    return _Loop(config, state, folder, probes, history) if state.peers.leads else _Follower()


class _Follower:
    """Around the steps of a process that does not lead nothing happens."""

    def count(self, batch: object, metrics: Metrics, samples: int) -> None: ...

    def after_step(self, *, stopping: bool) -> None: ...

    def close(self) -> None: ...


class _Loop(Generic[B]):
    """What happens around the steps: counting, logging, validating, sampling, saving."""

    def __init__(self, config: FitConfig, state: TrainState, folder: Path, probes: Probes[B], history: History) -> None:
        self.config, self.state, self.folder, self.probes = config, state, folder, probes
        self.tracker = Tracker(folder, state.step)
        self.line = ProgressLine(config.steps)
        self.history = history
        self.pending: dict[str, list[float | Tensor]] = {name: list(tail) for name, tail in history.tail.items()}
        self.seconds = self.flops = 0.0  # since the last logged line
        self.samples = 0
        self.since = time.monotonic()

    def close(self) -> None:
        self.tracker.close()

    def count(self, batch: B, metrics: Metrics, samples: int) -> None:
        """One more step. Its time is all since the last one but what was spent on validation, samples and saving.

        So it is right on a GPU too, whose work is waited for when a metric is read.
        """
        now = time.monotonic()
        seconds, self.since = now - self.since, now
        flops = self.probes.flops(batch) * samples / len(batch) if self.probes.flops else 0.0
        for name, value in metrics.items():
            self.pending.setdefault(name, []).append(value)
        self.state.seconds += seconds
        self.seconds += seconds
        self.flops += flops
        self.samples += samples
        self.line.add(samples=samples, seconds=seconds, flops=flops)

    def after_step(self, *, stopping: bool) -> None:
        step, config = self.state.step, self.config
        last = step == config.steps
        if self.line.due or last:
            self.line.show(step, self._pending_mean("loss"))
        if step % config.log_every == 0 or last:
            self._log()
        start = time.monotonic()
        self.history.judge(self._validate() if step % config.validate_every == 0 or last else None)
        if self.probes.sample and (step % config.sample_every == 0 or last):
            write_sheet(self.folder / "samples" / f"step-{step:08d}.png", self.probes.sample(self.state))
        if step % config.checkpoint_every == 0 or last or stopping:
            self._save()
        self.since += time.monotonic() - start

    def _log(self) -> None:
        """One line: the mean of each metric since the last line, the learning rate, the counters, the rates."""
        metrics = {name: self._pending_mean(name) for name in self.pending}
        self._check_finite(metrics["loss"])
        metrics |= {
            "learning_rate": self.state.learning_rate(self.state.step - 1),  # the last step's
            "samples": float(self.state.samples),
        }
        seconds = max(self.seconds, 1e-9)
        timings = {"seconds": self.state.seconds, "samples_per_second": self.samples / seconds}
        if self.flops:
            timings["flops_per_second"] = self.flops / seconds
        self.tracker.log(self.state.step, {**metrics, **timings})
        self.pending.clear()
        self.seconds, self.flops, self.samples = 0.0, 0.0, 0

    def _validate(self) -> float | None:
        if self.probes.validate is None:
            return None
        metrics = {name: float(value) for name, value in self.probes.validate(self.state).items()}
        self.tracker.log(self.state.step, metrics)
        self.line.say("  ".join([f"step {self.state.step}", *(f"{name} {v:.4f}" for name, v in metrics.items())]))
        return metrics[self.config.best_by]

    def _save(self) -> None:
        self.history.tail = {name: self._pending_numbers(name) for name in self.pending}
        self._check_finite(math.fsum(self.history.tail.get("loss", [])))
        state, place = self.state, self.folder / "checkpoints"
        record = {
            "step": state.step,
            "samples": state.samples,
            "seconds": state.seconds,
            "seed": self.config.seed,
            "history": asdict(self.history),
        }
        saved = checkpoints.save(place, state.step, state.tensors(), record, self.config.keep_checkpoints)
        if self.history.new_best is not None:
            checkpoints.mark_best(place, saved, self.history.new_best)

    def _pending_numbers(self, name: str) -> list[float]:
        numbers = [float(value) for value in self.pending[name]]
        self.pending[name] = list(numbers)
        return numbers

    def _pending_mean(self, name: str) -> float:
        numbers = self._pending_numbers(name)
        return math.fsum(numbers) / len(numbers)

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise MezzotintError(
                f"the loss is {loss} at step {self.state.step}; start again from the last checkpoint in "
                f"{self.folder / 'checkpoints'} with a smaller --lr"
            )
