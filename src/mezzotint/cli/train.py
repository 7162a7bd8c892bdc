"""Train a network by a recipe. The same command again resumes from the last checkpoint in --run. Ctrl-C leaves one.

Started by `torchrun --nproc-per-node N -m -- mezzotint train …`, N processes share each step's batch.

To export a run that is not finished, add `--steps 0 --export FOLDER` to its command: it takes the last checkpoint and
trains nothing.
"""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mezzotint.cli.parsing import named_numbers
from mezzotint.errors import InputError
from mezzotint.models.bundle import read_json
from mezzotint.runtime import atomic

if TYPE_CHECKING:
    from mezzotint.recipes.recipe import RunOptions
    from mezzotint.training.data_parallel import Peers

IDENTITY = "run.json"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which recipe, on what, and what it is to change."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")]
    """mini-vae, mini-text, mini-base, mini-joint, mini-judge, mini-clip, or tiny-… of each for a try in seconds."""
    data: Path
    """What to learn from: an encoded folder for mini-base and mini-joint, a corpus for the others."""
    mix: tuple[str, ...] = ()
    """More encoded folders, each with its share of the steps, such as encoded/scenes=0.2; --data has the rest."""
    run: Path
    """The run's folder: checkpoints, metrics.jsonl, sample sheets."""
    model: str | None = None
    """A model to build on: mini-base takes its autoencoder and text tower, mini-clip begins with its text tower."""
    start: str | None = None
    """A model to go on from: mini-base starts with the weights of its transformer, mini-judge with those of a judge,
    instead of random ones."""
    steps: int | None = None
    """How many steps in all, resumes included."""
    minutes: float | None = None
    """Stop with a checkpoint after so many minutes of training by this command."""
    batch: int | None = None
    """Samples a step, of all processes together."""
    lr: float | None = None
    """Peak learning rate."""
    seed: int = 0
    """Every random draw follows from it."""
    device: str | None = None
    """cpu, cuda, mps; the best one there is when not given."""
    dtype: str | None = None
    """Of the working weights: float32 or bfloat16; the fastest safe one when not given. Master weights are float32."""
    compile: bool = False
    """Compile the network's blocks (torch.compile)."""
    recompute: bool = False
    """Keep less for the backward pass and compute it again (activation checkpointing)."""
    export: Path | None = None
    """At the end, write the averaged weights there as part of a model folder."""
    threads: int | None = None
    """Processor threads; equal runs need equal numbers."""


def run(options: Options) -> None:
    import torch

    from mezzotint.recipes import RECIPES

    if options.recipe not in RECIPES:
        raise InputError(f"recipe {options.recipe!r} does not exist; there are {', '.join(RECIPES)}")
    if options.threads is not None:
        if options.threads < 1:
            raise InputError(f"--threads is {options.threads}; it must be 1 or more")
        torch.set_num_threads(options.threads)
    if options.export is not None:
        atomic.check_place(options.export)
    _refuse_anothers_run(options)
    settings = _run_options(options)
    with _peers(settings) as peers:
        _train(options, replace(settings, processes=peers.size), peers)


def _train(options: Options, settings: "RunOptions", peers: "Peers") -> None:
    from mezzotint.recipes import RECIPES
    from mezzotint.runtime import checkpoints
    from mezzotint.training.trainer import fit

    if not peers.leads:
        peers.wait()  # until the first one has made what the others find then, such as a tokenizer
    run = RECIPES[options.recipe]().prepare(settings)
    if peers.leads:
        peers.wait()
    if options.steps == 0 and not checkpoints.steps(options.run / "checkpoints"):
        raise InputError(f"{options.run} holds no checkpoint to export; train it first")
    if peers.leads:
        atomic.write_json(options.run / IDENTITY, _identity(options))
    outcome = fit(run.config, run.state, run.objective, run.batches, options.run, run.probes, peers)
    if not peers.leads:
        return
    if outcome.reason == "interrupted":
        raise KeyboardInterrupt(f"stopped at step {outcome.step}; resume with: {resume_command(options, peers.size)}")
    if outcome.reason == "minutes":
        print(f"{options.minutes:g} minutes are over at step {outcome.step}; the same command goes on", file=sys.stderr)
    if options.export is not None:
        run.export(options.export)
    print(options.export or options.run)


@contextmanager
def _peers(settings: "RunOptions") -> "Iterator[Peers]":
    from mezzotint.runtime.distributed import process_group, several_processes
    from mezzotint.training.data_parallel import ALONE, Peers

    if not several_processes():
        yield ALONE
        return
    with process_group(settings.device) as group:
        yield Peers(group)


def resume_command(options: Options, processes: int = 1) -> str:
    """The command line that these options came from."""
    words = ["mezzotint", "train", options.recipe]
    if processes > 1:
        # Without the --, torchrun takes --run for an option of its own.
        words = ["torchrun", "--nproc-per-node", str(processes), "-m", "--", *words]
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name == "recipe" or value == field.default:
            continue
        words.append(f"--{field.name}")
        if value is not True:
            words.extend(map(str, value if isinstance(value, tuple) else [value]))
    return shlex.join(words)


def _run_options(options: Options) -> "RunOptions":
    import torch

    from mezzotint.recipes.recipe import RunOptions
    from mezzotint.runtime.device import resolve_device, resolve_dtype
    from mezzotint.runtime.distributed import process_device, several_processes

    device = resolve_device(process_device(options.device) if several_processes() else options.device)
    dtype = resolve_dtype(options.dtype, device)
    if dtype == torch.float16:
        raise InputError("dtype float16 cannot be trained in: its gradients underflow; bfloat16 or float32 can")
    return RunOptions(
        data=options.data,
        mix=_mix(options.mix),
        run=options.run,
        model=options.model,
        start=options.start,
        steps=options.steps,
        minutes=options.minutes,
        batch=options.batch,
        lr=options.lr,
        seed=options.seed,
        device=device,
        dtype=dtype,
        compile=options.compile,
        recompute=options.recompute,
    )


def _mix(given: Sequence[str]) -> dict[Path, float]:
    """Folders and their shares of the steps, from "encoded/scenes=0.2"."""
    wanted = "a folder and its share of the steps, between 0 and 1, such as encoded/scenes=0.2"
    shares = named_numbers("mix", given, lambda folder, share: bool(folder) and 0 < share < 1, wanted)
    return {Path(folder): share for folder, share in shares.items()}


def _identity(options: Options) -> dict[str, str | int]:
    """What must not change between the commands of one run."""
    return {"recipe": options.recipe, "seed": options.seed}


def _refuse_anothers_run(options: Options) -> None:
    path = options.run / IDENTITY
    if path.exists() and (found := read_json(path)) != _identity(options):
        raise InputError(f"{options.run} holds the run {found}, not {_identity(options)}; choose another --run")
