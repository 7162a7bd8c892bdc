"""Runs of the tiny recipes, with all options given."""

from pathlib import Path

import torch

from mezzotint.recipes import RECIPES
from mezzotint.recipes.recipe import Run, RunOptions
from mezzotint.training.trainer import fit


def options(data: Path, run: Path, **changes: object) -> RunOptions:
    given: dict[str, object] = {
        "data": data,
        "mix": {},
        "run": run,
        "model": None,
        "start": None,
        "steps": None,
        "minutes": None,
        "batch": None,
        "lr": None,
        "seed": 0,
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "compile": False,
        "recompute": False,
    }
    return RunOptions(**(given | changes))  # type: ignore[arg-type]


def train(recipe: str, options: RunOptions) -> Run:
    run = RECIPES[recipe]().prepare(options)
    fit(run.config, run.state, run.objective, run.batches, options.run, run.probes)
    return run
