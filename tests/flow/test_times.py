import math

import torch

from mezzotint.flow.times import LogitNormal, ResolutionShifted, Uniform


def test_uniform_fills_the_interval() -> None:
    t = Uniform().sample(20_000, 64, torch.Generator().manual_seed(0))
    assert 0 <= t.min() < 0.001
    assert 0.999 < t.max() < 1
    assert abs(t.mean().item() - 0.5) < 0.01


def test_logit_normal_has_the_stated_moments() -> None:
    t = LogitNormal(mean=0.5, std=0.8).sample(50_000, 64, torch.Generator().manual_seed(0))
    logit = torch.logit(t)
    assert abs(logit.mean().item() - 0.5) < 0.02
    assert abs(logit.std().item() - 0.8) < 0.02


def test_resolution_shift_multiplies_the_noise_to_signal_ratio() -> None:
    times = ResolutionShifted(times=Uniform(), reference_tokens=64)
    plain = Uniform().sample(100, 64, torch.Generator().manual_seed(1))
    assert torch.allclose(times.sample(100, 64, torch.Generator().manual_seed(1)), plain, atol=1e-6)
    shifted = times.sample(100, 256, torch.Generator().manual_seed(1))
    ratio = ((1 - shifted) / shifted) / ((1 - plain) / plain)
    torch.testing.assert_close(ratio, torch.full_like(ratio, math.sqrt(4)), rtol=1e-3, atol=1e-3)
