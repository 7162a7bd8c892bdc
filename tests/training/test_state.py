import copy
from functools import partial

import pytest
import torch
from torch import nn

from mezzotint.errors import FileFormatError
from mezzotint.training.learning_rate import constant
from mezzotint.training.optimizers import AdamW
from mezzotint.training.state import TrainState, average_decay

OPTIMIZER = AdamW(lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1, rates={})


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.Linear(8, 3))


def train_state(dtype: torch.dtype = torch.float32, *, clip: float = 1e9, average: float = 0.9) -> TrainState:
    return TrainState(
        network(),
        optimizer=OPTIMIZER,
        schedule=partial(constant, warmup=2),
        clip=clip,
        average=average,
        device=torch.device("cpu"),
        dtype=dtype,
    )


def loss(state: TrainState) -> torch.Tensor:
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(state.step)).to(state.dtype)
    return state.module(x).float().square().mean()


def advance(state: TrainState, steps: int) -> None:
    for _ in range(steps):
        state.backward_and_update(loss(state))
        state.step += 1


def test_average_is_the_closed_form():
    state = train_state(average=0.5)
    weight = state.masters["0.weight"]
    expected = weight.detach().clone()
    for step in range(20):
        advance(state, 1)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight.detach()
        assert average_decay(step, 0.5) == decay
    torch.testing.assert_close(state.average["0.weight"], expected)
    assert average_decay(10**6, 0.999) == 0.999


def test_float32_masters_are_the_weights():
    state = train_state()
    assert all(state.masters[name] is p for name, p in state.module.named_parameters())


def test_bfloat16_weights_are_the_rounded_masters():
    state = train_state(torch.bfloat16)
    advance(state, 5)
    for name, parameter in state.module.named_parameters():
        assert parameter.dtype == torch.bfloat16
        assert state.masters[name].dtype == torch.float32
        assert torch.equal(parameter, state.masters[name].bfloat16())
        assert parameter.grad is None
    assert not torch.equal(state.masters["0.weight"], state.masters["0.weight"].bfloat16().float())


def test_masters_keep_steps_too_small_for_bfloat16():
    state = train_state(torch.bfloat16)
    state.schedule = lambda step: 1e-3
    before = state.masters["3.weight"].clone()
    advance(state, 1)
    moved = (state.masters["3.weight"] - before).abs()
    assert 0 < moved.max() < 2e-5  # one step of lr 1e-5: below half a unit in the last place of weights near 0.3


def test_gradients_are_clipped_to_the_norm_and_the_norm_before_is_returned():
    free, clipped = train_state(), train_state(clip=1e-3)
    norms = [state.backward_and_update(loss(state)) for state in (free, clipped)]
    assert norms[0] == norms[1] > 1e-3
    first_moment = clipped.optimizers[0].state
    squared = sum(float(moments["exp_avg"].square().sum()) for moments in first_moment.values())
    assert squared**0.5 == pytest.approx(1e-3 * (1 - 0.9), rel=1e-3)


def test_the_schedule_scales_the_rate():
    state = train_state()
    before = state.masters["3.bias"].detach().clone()
    advance(state, 1)
    moved = (state.masters["3.bias"] - before).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 0.5e-2), rtol=1e-3, atol=0)  # half of lr in warm-up


def test_frozen_parameters_are_left_alone():
    module = network()
    module[0].requires_grad_(False)
    frozen = module[0].weight.clone()
    state = TrainState(
        module,
        optimizer=OPTIMIZER,
        schedule=partial(constant, warmup=0),
        clip=1.0,
        average=0.9,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    advance(state, 2)
    assert "0.weight" not in state.masters
    assert torch.equal(module[0].weight, frozen)
    assert torch.equal(state.averaged_weights()["0.weight"], frozen)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_averaged_swaps_the_weights_and_puts_them_back(dtype: torch.dtype):
    state = train_state(dtype)
    advance(state, 5)
    before = copy.deepcopy(state.module.state_dict())
    with state.averaged() as module:
        assert not module.training
        assert torch.equal(module[0].weight, state.average["0.weight"].to(dtype))
        assert not torch.equal(module[0].weight, before["0.weight"])
    assert state.module.training
    assert all(torch.equal(value, before[name]) for name, value in state.module.state_dict().items())


def test_averaged_weights_hold_tied_parameters_under_both_names():
    module = nn.ModuleDict({"embed": nn.Embedding(5, 4), "head": nn.Linear(4, 5, bias=False)})
    module["head"].weight = module["embed"].weight
    state = TrainState(
        module,
        optimizer=OPTIMIZER,
        schedule=partial(constant, warmup=0),
        clip=1.0,
        average=0.9,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    state.backward_and_update(module["head"](module["embed"](torch.arange(5))).square().mean())
    weights = state.averaged_weights()
    assert weights["head.weight"] is weights["embed.weight"] is state.average["embed.weight"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tensors_carry_everything(dtype: torch.dtype):
    through, resumed = train_state(dtype), train_state(dtype)
    advance(through, 3)
    saved = {name: tensor.clone() for name, tensor in through.tensors().items()}
    advance(through, 3)
    resumed.load_tensors(saved)
    resumed.step = 3
    advance(resumed, 3)
    ours, theirs = resumed.tensors(), through.tensors()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert "buffer.1.running_mean" in ours


def test_another_networks_tensors_are_refused():
    state = train_state()
    tensors = state.tensors()
    tensors["master.0.weight"] = torch.zeros(2, 2)
    with pytest.raises(FileFormatError, match=r"master\.0\.weight is of shape \(2, 2\), this recipe needs \(8, 4\)"):
        state.load_tensors(tensors)
    del tensors["master.0.weight"]
    with pytest.raises(FileFormatError, match=r"master\.0\.weight is missing"):
        state.load_tensors(tensors)
