"""Closed forms: for Gaussian data N(m, s²) the velocity field and the end of every trajectory are known exactly.

x_t = t·clean + (1 − t)·noise has mean t·m and variance t²s² + (1 − t)², and E[clean − noise | x_t] is linear in x_t.
The flow carries quantiles to quantiles, so noise z ends at m + s·z.
"""

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from mezzotint.flow.samplers import SAMPLERS, Sampler, euler, multistep
from mezzotint.flow.schedules import static_shift

MEAN, STD = 0.7, 0.4


def gaussian_velocity(x: Tensor, t: float) -> Tensor:
    variance = t**2 * STD**2 + (1 - t) ** 2
    return MEAN + (t * STD**2 - (1 - t)) / variance * (x - t * MEAN)


def error(sampler: Sampler, steps: int) -> float:
    z = torch.linspace(-2, 2, 41).reshape(-1, 1)
    x = sampler(gaussian_velocity, z, static_shift(steps, 1.0))
    return (x - (MEAN + STD * z)).abs().max().item()


@pytest.mark.parametrize("name", SAMPLERS)
def test_ends_at_the_gaussians_quantiles(name: str) -> None:
    assert error(SAMPLERS[name], 400) < 0.01


def test_orders_of_convergence() -> None:
    assert error(euler, 40) / error(euler, 80) == pytest.approx(2, abs=0.4)
    assert error(multistep, 40) / error(multistep, 80) == pytest.approx(4, abs=1.2)
    assert error(multistep, 20) < error(euler, 20) / 2


def test_straight_paths_are_exact_in_one_step() -> None:
    x = torch.randn(2, 3)
    for sampler in SAMPLERS.values():
        torch.testing.assert_close(sampler(lambda x, t: torch.full_like(x, 2.0), x, static_shift(1, 3.0)), x + 2)


def test_euler_is_the_schedulers() -> None:
    x = torch.randn(2, 4, 4, 4)
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0)
    scheduler.set_timesteps(sigmas=torch.linspace(1.0, 1 / 8, 8).tolist())
    expected = x
    for t in scheduler.timesteps:
        v = gaussian_velocity(expected, (1000 - t.item()) / 1000)
        expected = scheduler.step(-v, t, expected, return_dict=False)[0]
    torch.testing.assert_close(euler(gaussian_velocity, x, static_shift(8, 3.0)), expected, atol=1e-5, rtol=1e-5)


def test_every_step_is_reported() -> None:
    seen: list[int] = []
    euler(gaussian_velocity, torch.randn(1, 2), static_shift(5, 3.0), lambda step, x: seen.append(step))
    assert seen == [0, 1, 2, 3, 4]
