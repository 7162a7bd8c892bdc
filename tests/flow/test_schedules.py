from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, ZImageImg2ImgPipeline

from mezzotint.errors import InputError
from mezzotint.flow import schedules

TURBO = [1, 0.954545, 0.9, 0.833333, 0.75, 0.642857, 0.5, 0.3, 0]


def set_by_their_pipelines(even: list[float], mu: float | None = None, **config: object) -> Any:
    """Their scheduler, with the even sigmas that a pipeline gives it."""
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, **config)
    scheduler.set_timesteps(sigmas=even, mu=mu)
    return scheduler


def test_turbo_is_the_published_list() -> None:
    torch.testing.assert_close(schedules.static_shift(8, 3.0), torch.tensor(TURBO), atol=1e-6, rtol=0)


@pytest.mark.parametrize("steps", [1, 4, 8, 9, 28, 50])
@pytest.mark.parametrize("shift", [1.0, 3.0, 6.0])
def test_static_shift_and_times_are_the_schedulers_to_the_bit(steps: int, shift: float) -> None:
    theirs = set_by_their_pipelines(torch.linspace(1.0, 1 / steps, steps).tolist(), shift=shift)
    sigmas = schedules.static_shift(steps, shift)
    assert torch.equal(sigmas, theirs.sigmas)
    times = torch.tensor([schedules.time_of(sigma) for sigma in sigmas[:-1].tolist()])
    assert torch.equal(times, (1000 - theirs.timesteps) / 1000)


@pytest.mark.parametrize("steps", [2, 8, 28, 50])
@pytest.mark.parametrize("tokens", [256, 4096, 8192])
@pytest.mark.parametrize("terminal", [None, 0.02])
def test_exponential_shift_is_the_schedulers_to_the_bit(steps: int, tokens: int, terminal: float | None) -> None:
    mu = schedules.linear_mu(tokens)
    even = np.linspace(1.0, 1 / steps, steps).tolist()
    theirs = set_by_their_pipelines(even, mu=mu, use_dynamic_shifting=True, shift_terminal=terminal)
    assert torch.equal(schedules.exponential_shift(steps, mu, terminal), theirs.sigmas)


def test_stretch_ends_at_the_terminal() -> None:
    assert schedules.exponential_shift(50, 0.7, 0.02)[-2].item() == pytest.approx(0.02, abs=1e-7)


def test_partial_keeps_the_last_steps() -> None:
    sigmas = schedules.static_shift(10, 3.0)
    assert torch.equal(schedules.partial(sigmas, 0.3), sigmas[7:])
    assert torch.equal(schedules.partial(sigmas, 1.0), sigmas)
    assert len(schedules.partial(sigmas, 0.01)) == len(schedules.partial(sigmas, 1e-300)) == 2


@pytest.mark.parametrize("steps", [4, 8, 9, 28])
def test_partial_runs_as_many_steps_as_diffusers_pipelines(steps: int) -> None:
    class TheirPipeline:
        scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)

    sigmas = schedules.static_shift(steps, 3.0)
    TheirPipeline.scheduler.set_timesteps(steps)
    for strength in (0.05, 0.3, 0.5, 0.6, 0.7, 0.99, 1.0):
        _, kept = ZImageImg2ImgPipeline.get_timesteps(TheirPipeline, steps, strength, "cpu")
        assert len(schedules.partial(sigmas, strength)) == kept + 1


def test_bad_arguments_name_what_would_do() -> None:
    with pytest.raises(InputError, match="1 or more"):
        schedules.static_shift(0, 3.0)
    with pytest.raises(InputError, match="strength"):
        schedules.partial(schedules.static_shift(4, 3.0), 0.0)
