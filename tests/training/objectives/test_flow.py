from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from mezzotint.data.loader import LatentBatch
from mezzotint.flow.times import LogitNormal, Uniform
from mezzotint.models.single_stream import MINI, SingleStreamTransformer, init_weights
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.learning_rate import constant
from mezzotint.training.objectives.flow import FlowMatching, JointFlowMatching
from mezzotint.training.optimizers import AdamW
from mezzotint.training.state import TrainState

TINY = replace(MINI, dim=64, n_heads=1, n_layers=2, n_refiner_layers=1, in_channels=4, cap_feat_dim=8)
OBJECTIVE = FlowMatching(
    times=LogitNormal(mean=0.0, std=1.0), caption_dropout=0.1, empty_caption=torch.zeros(2, 8), patch_size=2
)


def batch(count: int = 4) -> LatentBatch:
    generator = torch.Generator().manual_seed(1)
    return LatentBatch(
        latents=torch.randn(count, 4, 8, 8, generator=generator),
        captions=[torch.randn(3 + i, 8, generator=generator) for i in range(count)],
        ids=[str(i) for i in range(count)],
    )


def train_state(module: nn.Module, dtype: torch.dtype = torch.float32) -> TrainState:
    return TrainState(
        module,
        optimizer=AdamW(lr=3e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0, rates={}),
        schedule=partial(constant, warmup=5),
        clip=1.0,
        average=0.9,
        device=torch.device("cpu"),
        dtype=dtype,
    )


def transformer() -> SingleStreamTransformer:
    network = SingleStreamTransformer(TINY)
    init_weights(network, torch.Generator().manual_seed(0))
    return network


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_batch_is_overfitted(dtype: torch.dtype):
    """With one fixed batch, noise and times every step, the loss falls to a small part of what it was."""
    state, one = train_state(transformer(), dtype), batch()
    objective = replace(OBJECTIVE, times=Uniform(), caption_dropout=0.0)
    losses = []
    for _ in range(120):
        losses.append(float(objective.step(state, one, Seeds(0))["loss"]))  # state.step stays 0: the same draws
    assert losses[0] == pytest.approx(2.0, rel=0.15)  # the velocity starts as zero: variance of noise plus of data
    assert losses[-1] < 0.15 * losses[0]


class Oracle(nn.Module):
    """Knows the clean latents, and so the velocity: (clean − x_t) / (1 − t); its one weight scales it."""

    def __init__(self, clean: Tensor) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.clean = clean

    def refine_captions(self, features: list[Tensor]) -> list[Tensor]:
        return features

    def forward(self, x: Tensor, t: Tensor, captions: list[Tensor]) -> Tensor:
        return self.gain * (self.clean - x) / (1 - t).view(-1, 1, 1, 1)


def test_the_exact_velocity_has_no_loss_and_no_gradient():
    one = batch()
    state = train_state(Oracle(one.latents))
    metrics = OBJECTIVE.step(state, one, Seeds(0))
    assert float(metrics["loss"]) < 1e-8
    assert float(metrics["gradient_norm"]) < 1e-5


def test_draws_depend_on_seed_step_and_purpose_only():
    one = batch()
    noise, t = OBJECTIVE.draw(one, Seeds(0), "train", 3)
    again, t_again = OBJECTIVE.draw(one, Seeds(0), "train", 3)
    assert torch.equal(noise, again)
    assert torch.equal(t, t_again)
    for rng, purpose, step in ((Seeds(1), "train", 3), (Seeds(0), "validation", 3), (Seeds(0), "train", 4)):
        other, t_other = OBJECTIVE.draw(one, rng, purpose, step)
        assert not torch.equal(noise, other)
        assert not torch.equal(t, t_other)


class Recording(FlowMatching):
    """Keeps which captions were dropped."""

    dropped: ClassVar[list[bool]] = []

    def captions(self, state: TrainState, batch: LatentBatch, dropped: Sequence[bool]) -> list[Tensor]:
        self.dropped.extend(dropped)
        return super().captions(state, batch, dropped)


def test_captions_are_dropped_at_the_rate():
    state, one = train_state(transformer()), batch(40)
    objective = Recording(**vars(OBJECTIVE))
    for _ in range(25):
        objective.step(state, one, Seeds(0))
        state.step += 1
    assert len(objective.dropped) == 1000
    assert sum(objective.dropped) == pytest.approx(100, abs=40)  # four standard deviations


def test_a_dropped_caption_is_the_empty_one():
    one = batch(2)
    first, second = OBJECTIVE.captions(train_state(transformer()), one, [True, False])
    assert first is OBJECTIVE.empty_caption
    assert second is one.captions[1]


class Tower(nn.Module):
    """Features of a text: one trained row for each letter."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(128, 8, generator=torch.Generator().manual_seed(2)))

    def read(self, texts: Sequence[str]) -> list[Tensor]:
        return [self.rows[list(f"<{text}>".encode())] for text in texts]


def test_a_tower_learns_along_from_the_texts_that_are_not_dropped():
    module = transformer()
    module.add_module("tower", Tower())
    state = train_state(module)
    one = replace(batch(2), texts=["ab", "cd"])
    objective = JointFlowMatching(**vars(OBJECTIVE) | {"caption_dropout": 0.0})
    before = module.tower.rows.detach().clone()
    for _ in range(3):  # the output layer starts as zero: the first gradients end there
        objective.step(state, one, Seeds(0))
    moved = (module.tower.rows.detach() - before).abs().sum(1) > 0
    assert sorted(map(chr, moved.nonzero().flatten().tolist())) == sorted("<>abcd")
    empty, whole = objective.captions(state, one, [True, False])
    assert torch.equal(empty, module.tower.rows[list(b"<>")])
    assert torch.equal(whole, module.tower.rows[list(b"<cd>")])


def test_validation_is_the_averaged_weights_on_fixed_draws():
    state = train_state(transformer())
    batches = [batch(4), batch(2)]
    first = OBJECTIVE.validate(state, batches, Seeds(0))
    for _ in range(3):
        OBJECTIVE.step(state, batch(), Seeds(0))
        state.step += 1
    later = OBJECTIVE.validate(state, batches, Seeds(0))
    assert later == OBJECTIVE.validate(state, batches, Seeds(0))
    assert later["validation_loss"] < first["validation_loss"]
