import torch

from mezzotint.flow import path


def test_ends_and_slope() -> None:
    noise, clean = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    assert torch.equal(path.interpolate(noise, clean, torch.zeros(2)), noise)
    assert torch.equal(path.interpolate(noise, clean, torch.ones(2)), clean)
    t = torch.tensor([0.25, 0.5])
    slope = (path.interpolate(noise, clean, t + 0.25) - path.interpolate(noise, clean, t)) / 0.25
    torch.testing.assert_close(slope, path.velocity(noise, clean), atol=1e-5, rtol=1e-5)


def test_clean_estimate_of_the_true_velocity_is_clean() -> None:
    noise, clean, t = torch.randn(3, 5), torch.randn(3, 5), torch.rand(3)
    x = path.interpolate(noise, clean, t)
    torch.testing.assert_close(path.clean_estimate(x, path.velocity(noise, clean), t), clean, atol=1e-5, rtol=1e-5)
