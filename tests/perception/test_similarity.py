import numpy as np
import pytest
import torch

from mezzotint.perception.similarity import psnr, ssim


def pictures(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_psnr_of_a_known_error():
    """An error of a tenth of the peak everywhere is 20 dB."""
    a = torch.zeros(1, 3, 8, 8)
    assert psnr(a, a + 0.2).item() == pytest.approx(20.0, abs=1e-4)
    assert psnr(a, a).item() == pytest.approx(100.0)
    assert psnr(a, a + 2 / 255).item() == pytest.approx(48.1308, abs=1e-3)  # the textbook's: 1 grey level in 255


def test_ssim_of_two_plain_pictures_is_their_brightness_term():
    """Without variance the structure term is 1: SSIM = (2 μ ν + C₁) / (μ² + ν² + C₁), C₁ = (0.01 · 255)²."""
    mu, nu, c1 = 127.5, 191.25, 2.55**2
    a, b = torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), 0.5)
    assert ssim(a, b).item() == pytest.approx((2 * mu * nu + c1) / (mu**2 + nu**2 + c1), rel=1e-5)


def test_ssim_is_the_written_formula_in_one_window():
    """The window around the middle of an 11 × 11 picture, straight from the paper's equations."""
    a, b = pictures(0)[:1, :, :11, :11], pictures(1)[:1, :, :11, :11]
    x, y = (np.tensordot((0.299, 0.587, 0.114), (p[0].double().numpy() + 1) * 127.5, axes=1) for p in (a, b))
    at = np.arange(-5, 6)
    window = np.exp(-(at[:, None] ** 2 + at**2) / (2 * 1.5**2))
    window /= window.sum()
    mu, nu = (window * x).sum(), (window * y).sum()
    var_x, var_y, cov = ((window * v).sum() for v in ((x - mu) ** 2, (y - nu) ** 2, (x - mu) * (y - nu)))
    c1, c2 = 2.55**2, 7.65**2
    expected = (2 * mu * nu + c1) * (2 * cov + c2) / ((mu**2 + nu**2 + c1) * (var_x + var_y + c2))
    assert ssim(a, b).item() == pytest.approx(expected, rel=1e-5)


def test_ssim_is_one_for_equal_pictures_and_falls_with_noise():
    a = pictures(0)
    torch.testing.assert_close(ssim(a, a), torch.ones(2))
    noise = pictures(1)
    little, much = ssim(a, a + 0.1 * noise), ssim(a, a + noise)
    assert (little < 1).all()
    assert (much < little).all()
