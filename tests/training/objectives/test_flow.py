from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from mezzotint.data.loader import LatentBatch
from mezzotint.flow.times import LogitNormal, Uniform
from mezzotint.models.single_stream import MINI, SingleStreamTransformer, init_weights
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.learning_rate import constant
from mezzotint.training.objectives.flow import FlowMatching
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


def test_captions_are_dropped_at_the_rate():
    captions = [torch.ones(3, 8)] * 4000
    kept = OBJECTIVE.drop_captions(captions, torch.Generator().manual_seed(0))
    dropped = sum(caption is OBJECTIVE.empty_caption for caption in kept)
    assert dropped == pytest.approx(400, abs=80)  # four standard deviations
    assert len(kept) == 4000


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
