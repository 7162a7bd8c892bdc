"""Training the judge of scenes, ending as a folder with its weights and its configuration."""

from dataclasses import dataclass
from pathlib import Path

import torch

from mezzotint.errors import InputError
from mezzotint.models import bundle
from mezzotint.perception.scene_judge import SceneJudge, SceneJudgeConfig, init_weights, load_scene_judge
from mezzotint.recipes.recipe import Plan, Run, RunOptions, check_data
from mezzotint.runtime import atomic
from mezzotint.runtime.seeds import Seeds
from mezzotint.synthesis.scenes.truth_maps import SceneBatches
from mezzotint.synthesis.styles import Fetch
from mezzotint.training.objectives.judge import SceneReadingLoss
from mezzotint.training.state import TrainState
from mezzotint.training.trainer import Probes


@dataclass(frozen=True, kw_only=True)
class JudgeRecipe:
    """Dense reading of rendered scenes. `validation_batches` are of the split "val"; `dtype` is the exported one.

    `lettered` is the share of a batch that shows random strings, drawn for the step in one of `fonts`, which are in
    packages that `fetch` brings.
    """

    judge: SceneJudgeConfig
    plan: Plan
    objective: SceneReadingLoss
    lettered: float
    fonts: tuple[str, ...]
    fetch: Fetch
    validation_batches: int
    dtype: torch.dtype

    def prepare(self, options: RunOptions) -> Run:
        plan = self.plan.under(options)
        check_data(options, "mezzotint corpus build", takes=("start",))
        if options.start is not None:
            judge = self._started(Path(options.start))
        else:
            judge = SceneJudge(self.judge)
            init_weights(judge, Seeds(options.seed).generator("weights"))
        state = plan.state(judge, options)
        held_out = self._batches(options.data, self.plan.batch, 0, "val")
        validation = [held_out.at(step) for step in range(self.validation_batches)]
        return Run(
            config=plan.fit_config(options),
            state=state,
            objective=self.objective,
            batches=self._batches(options.data, plan.batch, options.seed, "train"),
            probes=Probes(validate=lambda state: self.objective.validate(state, validation)),
            export=lambda folder: self._export(state, folder),
        )

    def _batches(self, corpus: Path, batch: int, seed: int, split: str) -> SceneBatches:
        return SceneBatches(
            corpus,
            batch_size=batch,
            lettered=round(self.lettered * batch),
            size=self.judge.picture_size,
            grid=self.judge.grid,
            seed=seed,
            split=split,
            fonts=self.fonts,
            fetch=self.fetch,
        )

    def _started(self, folder: Path) -> SceneJudge:
        judge = load_scene_judge(folder)
        if judge.config != self.judge:
            raise InputError(f"the judge in {folder} is not of this recipe's size and classes; leave --start out")
        return judge.requires_grad_(True)

    def _export(self, state: TrainState, folder: Path) -> None:
        weights = {name: weight.to(self.dtype) for name, weight in state.averaged_weights().items()}
        bundle.write_weights(folder, weights)
        atomic.write_json(folder / "config.json", self.judge.to_json())
