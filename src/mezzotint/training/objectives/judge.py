"""Training a judge of scenes on rendered scenes, cell by cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mezzotint.perception.scene_judge import NO_CHARACTER, Maps
from mezzotint.runtime.seeds import Seeds
from mezzotint.synthesis.scenes.truth_maps import IGNORED, SceneBatch, TruthMaps
from mezzotint.training.objective import Metrics
from mezzotint.training.state import TrainState


@dataclass(frozen=True, kw_only=True)
class SceneReadingLoss:
    """Focal loss of the centres, cross entropy of nouns, colours and characters. `state.module` is a `SceneJudge`.

    `empty_weight` is the weight of a cell without writing: there are many, and one with a character weighs 1.
    """

    empty_weight: float

    def step(self, state: TrainState, batch: SceneBatch, rng: Seeds) -> Metrics:
        losses = self.losses(state.module(batch.pictures.to(state.device)), batch.truth)
        loss = torch.stack(list(losses.values())).sum()
        norm = state.backward_and_update(loss)
        return {"loss": loss.detach(), **{k: v.detach() for k, v in losses.items()}, "gradient_norm": norm}

    def losses(self, maps: Maps, truth: TruthMaps) -> dict[str, Float[Tensor, ""]]:
        device = maps.centres.device
        weight = torch.ones(maps.characters.shape[1], device=device)
        weight[NO_CHARACTER] = self.empty_weight
        return {
            "centres": focal(maps.centres, truth.centres.to(device)),
            "nouns": classified(maps.nouns, truth.nouns.to(device)),
            "colours": classified(maps.colours, truth.colours.to(device)),
            "characters": F.cross_entropy(maps.characters, truth.characters.to(device), weight),
        }

    @torch.no_grad()
    def validate(self, state: TrainState, batches: Sequence[SceneBatch]) -> Metrics:
        """The averaged weights on fixed scenes: the loss, and the share of right cells where something is asked."""
        found: dict[str, list[Tensor]] = {}
        with state.averaged() as judge:
            for batch in batches:
                maps = judge(batch.pictures.to(state.device))
                losses = self.losses(maps, batch.truth)
                found.setdefault("validation_loss", []).append(torch.stack(list(losses.values())).sum())
                for name in ("nouns", "colours", "characters"):
                    right = getattr(maps, name).argmax(1) == getattr(batch.truth, name).to(state.device)
                    asked = getattr(batch.truth, name) > (NO_CHARACTER if name == "characters" else IGNORED)
                    found.setdefault(f"right_{name}", []).append(right[asked.to(right.device)].float())
        return {name: torch.cat([value.flatten() for value in values]).mean() for name, values in found.items()}


def focal(logits: Float[Tensor, "b g g"], target: Float[Tensor, "b g g"]) -> Float[Tensor, ""]:
    """CenterNet's penalty-reduced focal loss (Zhou et al. 2019, eq. 1; α = 2, β = 4) over the number of centres."""
    probability, centre = logits.sigmoid(), target == 1
    near = (1 - probability) ** 2 * F.logsigmoid(logits)
    far = (1 - target) ** 4 * probability**2 * F.logsigmoid(-logits)
    return -torch.where(centre, near, far).sum() / centre.sum().clamp_min(1)


def classified(logits: Float[Tensor, "b classes g g"], target: Tensor) -> Float[Tensor, ""]:
    """Mean cross entropy over the cells of which something is asked; 0 without such a cell."""
    asked = (target != IGNORED).sum().clamp_min(1)
    return F.cross_entropy(logits, target, ignore_index=IGNORED, reduction="sum") / asked
