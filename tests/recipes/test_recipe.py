from pathlib import Path

import pytest
import torch
from tests.recipes.tiny_runs import options

from mezzotint.errors import InputError, MissingFileError
from mezzotint.recipes import RECIPES
from mezzotint.recipes.mini import mini_base, mini_vae
from mezzotint.recipes.recipe import check_data


def test_the_users_choices_replace_the_plans():
    plan = mini_base().plan
    assert plan.under(options(Path("d"), Path("r"))) == plan
    chosen = plan.under(options(Path("d"), Path("r"), steps=7, batch=3, lr=2e-4))
    assert (chosen.steps, chosen.batch) == (7, 3)
    (optimizer,) = chosen.optimizer.build({"w": torch.zeros(2, 2)})
    assert optimizer.param_groups[0]["peak_lr"] == 2e-4
    assert chosen.warmup == plan.warmup


@pytest.mark.parametrize(("name", "value"), [("steps", -1), ("batch", 0), ("minutes", -1.0), ("lr", 0.0)])
def test_impossible_choices_are_refused(name: str, value: float):
    with pytest.raises(InputError, match=f"--{name} is {value}"):
        mini_vae().plan.under(options(Path("d"), Path("r"), **{name: value}))


def test_the_schedule_rises_stays_and_falls():
    plan = mini_base().plan
    flat = round(plan.steps * (1 - plan.cooldown))
    assert plan.schedule(0) == pytest.approx(1 / plan.warmup)
    assert plan.schedule(plan.warmup) == plan.schedule(flat) == 1.0
    assert plan.schedule(plan.steps) == 0.0


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("mini-")])
def test_validation_checkpoints_and_samples_fall_on_the_same_steps(name: str):
    """So that a best checkpoint is one that was kept, and a sheet can be made again from one."""
    plan = RECIPES[name]().plan
    assert plan.validate_every % plan.checkpoint_every == 0
    assert plan.sample_every % plan.checkpoint_every == 0


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_the_missing_data(name: str, tmp_path: Path):
    with pytest.raises(MissingFileError, match="nowhere does not exist"):
        RECIPES[name]().prepare(options(tmp_path / "nowhere", tmp_path / "run"))


@pytest.mark.parametrize(("name", "value"), [("start", "mini"), ("model", "mini"), ("compile", True)])
def test_what_a_recipe_would_not_look_at_is_refused(name: str, value: object, tmp_path: Path):
    with pytest.raises(InputError, match=f"has no use for --{name}"):
        mini_vae().prepare(options(tmp_path, tmp_path / "run", **{name: value}))


def test_check_data_says_what_makes_one(tmp_path: Path):
    with pytest.raises(MissingFileError, match="mezzotint encode makes one"):
        check_data(options(tmp_path / "nowhere", tmp_path), "mezzotint encode")
