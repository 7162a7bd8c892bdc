import os
import shutil
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from tests.recipes.tiny_runs import options, train

from mezzotint.data.buckets import Bucket
from mezzotint.errors import InputError, MissingFileError
from mezzotint.generation.encode import EncodeOptions, encode_corpus, load_encoders
from mezzotint.generation.pipeline import Pipeline
from mezzotint.models.bundle import read_weights
from mezzotint.models.single_stream import to_published
from mezzotint.recipes.recipe import Run
from mezzotint.recipes.tiny import tiny_base, tiny_joint
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.state import TrainState
from mezzotint.training.trainer import Outcome, fit


@pytest.fixture(scope="session")
def encoded(corpus: Path, towers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoded")
    made = EncodeOptions(buckets=(Bucket(32, 32), Bucket(48, 32)), captions_per_picture=None, variants=2, seed=0)
    encoders = load_encoders(towers, torch.device("cpu"), torch.float32)
    encode_corpus(corpus, folder, encoders, made, lambda records: None)
    return folder


@pytest.fixture(scope="session")
def trained(encoded: Path, towers: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A run of the tiny recipe, and the model that it exported."""
    folder = tmp_path_factory.mktemp("base")
    run = train("tiny-base", options(encoded, folder / "run", model=str(towers)))
    run.export(folder / "model")
    return run, folder / "model"


def test_the_export_is_a_whole_model(trained: tuple[Run, Path], towers: Path):
    run, model = trained
    for part in ("vae", "text_encoder", "tokenizer"):
        files = sorted((towers / part).iterdir())
        assert [file.name for file in files] == sorted(file.name for file in (model / part).iterdir())
        assert all(file.read_bytes() == (model / part / file.name).read_bytes() for file in files)
    weights = read_weights(model / "transformer")
    averaged = to_published(run.state.averaged_weights(), tiny_base().transformer)
    assert weights.keys() == averaged.keys()
    assert all(torch.equal(weight, averaged[name].to(tiny_base().dtype)) for name, weight in weights.items())
    picture = Pipeline.from_pretrained(model, device="cpu", dtype="float32")("a red disc", seed=0).images[0]
    assert picture.size == (tiny_base().defaults.width, tiny_base().defaults.height)


def test_diffusers_opens_the_export(trained: tuple[Run, Path]):
    _, model = trained
    pipeline = diffusers.ZImagePipeline.from_pretrained(model)
    assert set(pipeline.components) == {"scheduler", "text_encoder", "tokenizer", "transformer", "vae"}
    assert pipeline.scheduler.config.shift == tiny_base().shift


def test_export_can_be_repeated_into_the_model_that_it_builds_on(trained: tuple[Run, Path]):
    run, model = trained
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    run.export(model)
    assert before == {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}


def test_joint_training_exports_the_tower_that_learned(encoded: Path, towers: Path, tmp_path: Path):
    chosen = options(encoded, tmp_path / "run", model=str(towers))
    run = train("tiny-joint", chosen)
    run.export(tmp_path / "model")
    old, new = read_weights(towers / "text_encoder"), read_weights(tmp_path / "model" / "text_encoder")
    assert old.keys() == new.keys()
    read = {name for name, weight in new.items() if not torch.equal(weight, old[name])}
    assert "model.embed_tokens.weight" in read
    assert not any(name.startswith("model.layers.1.") for name in read)  # the last layer of the two is not run
    assert (
        read_weights(tmp_path / "model" / "transformer").keys()
        == to_published(
            {n: w for n, w in run.state.averaged_weights().items() if not n.startswith("tower.")},
            tiny_base().transformer,
        ).keys()
    )
    pipeline = Pipeline.from_pretrained(tmp_path / "model", device="cpu", dtype="float32")
    assert pipeline("a red disc", seed=0).images[0].size == (32, 32)


def test_joint_training_goes_on_from_its_own_tower(encoded: Path, towers: Path, tmp_path: Path):
    train("tiny-joint", options(encoded, tmp_path / "run", model=str(towers))).export(tmp_path / "model")
    further = options(encoded, tmp_path / "further", model=str(tmp_path / "model"))
    with pytest.raises(InputError, match="encoded with another text_encoder"):
        train("tiny-base", further)
    started = tiny_joint().prepare(further).state.averaged_weights()
    learned = read_weights(tmp_path / "model" / "text_encoder")
    assert torch.equal(started["tower.model.embed_tokens.weight"], learned["model.embed_tokens.weight"].float())


def test_a_run_can_start_from_a_models_transformer(trained: tuple[Run, Path], encoded: Path, tmp_path: Path):
    _, model = trained
    chosen = options(encoded, tmp_path / "run", model=str(model), start=str(model))
    started = to_published(tiny_base().prepare(chosen).state.averaged_weights(), tiny_base().transformer)
    kept = read_weights(model / "transformer")
    assert all(torch.equal(weight, kept[name].float()) for name, weight in started.items())
    larger = tiny_base()
    larger = replace(larger, transformer=replace(larger.transformer, n_layers=3))
    with pytest.raises(InputError, match="another shape"):
        larger.prepare(chosen)


@dataclass
class StopAt:
    """An objective that asks its own process to stop after a step."""

    objective: Any
    last: int

    def step(self, state: TrainState, batch: Any, rng: Seeds) -> Any:
        metrics = self.objective.step(state, batch, rng)
        if state.step + 1 == self.last:
            os.kill(os.getpid(), signal.SIGTERM)
        return metrics


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_six_steps_are_three_and_three(encoded: Path, towers: Path, tmp_path: Path, dtype: torch.dtype):
    states = []
    for name, stops in (("whole", []), ("halves", [3])):
        chosen = options(encoded, tmp_path / name, model=str(towers), dtype=dtype)
        for stop in [*stops, None]:
            run = tiny_base().prepare(chosen)
            objective = run.objective if stop is None else StopAt(run.objective, stop)
            outcome = fit(run.config, run.state, objective, run.batches, chosen.run, run.probes)
            assert outcome == (Outcome(6, "finished") if stop is None else Outcome(stop, "interrupted"))
        states.append(run.state.tensors())
    whole, halves = states
    assert whole.keys() == halves.keys()
    assert all(torch.equal(tensor, halves[name]) for name, tensor in whole.items())


def test_other_folders_are_mixed_in(encoded: Path, towers: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(encoded, other)
    chosen = options(encoded, tmp_path / "run", model=str(towers))
    alone = tiny_base().prepare(chosen)
    mixed = tiny_base().prepare(replace(chosen, mix={other: 0.5}))
    batches = [mixed.batches.at(step).ids for step in range(8)]
    own = [alone.batches.at(step).ids for step in range(8)]
    assert batches != own
    assert all(any(batch == expected for expected in own) for batch in batches)  # both folders hold the same
    with pytest.raises(InputError, match="sum to 1"):
        tiny_base().prepare(replace(chosen, mix={other: 0.5, encoded: 0.5}))
    with pytest.raises(MissingFileError, match="nowhere does not exist"):
        tiny_base().prepare(replace(chosen, mix={tmp_path / "nowhere": 0.5}))


def test_recomputing_activations_trains_the_same(encoded: Path, towers: Path, tmp_path: Path):
    weights = [
        train("tiny-base", options(encoded, tmp_path / str(on), model=str(towers), recompute=on)).state.masters
        for on in (False, True)
    ]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, rtol=1e-5, atol=1e-6)


def test_a_model_is_needed_and_must_be_the_one_that_encoded(encoded: Path, towers: Path, tmp_path: Path):
    with pytest.raises(InputError, match="needs --model"):
        tiny_base().prepare(options(encoded, tmp_path / "run"))
    other = tmp_path / "other"
    for path in towers.rglob("*"):
        if path.is_file():
            (other / path.relative_to(towers)).parent.mkdir(parents=True, exist_ok=True)
            (other / path.relative_to(towers)).write_bytes(path.read_bytes())
    weights = other / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(InputError, match="was encoded with another vae"):
        tiny_base().prepare(options(encoded, tmp_path / "run", model=str(other)))


def test_latents_of_another_width_are_refused(encoded: Path, towers: Path, tmp_path: Path):
    recipe = tiny_base()
    wrong = replace(recipe, transformer=replace(recipe.transformer, cap_feat_dim=64))
    with pytest.raises(InputError, match="captions 32 wide, this recipe needs 16 and 64"):
        wrong.prepare(options(encoded, tmp_path / "run", model=str(towers)))
