"""How alike two pictures are, pixel by pixel: PSNR and SSIM."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

_WINDOW, _SIGMA = 11, 1.5  # pixels
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def psnr(a: Float[Tensor, "b 3 h w"], b: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b"]:
    """Peak signal-to-noise ratio in dB of pictures in [−1, 1], whose peak is 2; at most 100."""
    square = (a - b).square().mean((1, 2, 3))
    return 10 * torch.log10(4 / square.clamp_min(4e-10))


def ssim(a: Float[Tensor, "b 3 h w"], b: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b"]:
    """Structural similarity of the luma, at most 1 (Wang et al. 2004): Gaussian window of 11 pixels, σ = 1.5.

    The mean over all windows that lie whole in the picture. Pictures in [−1, 1].
    """
    x, y = _luma(a), _luma(b)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x, variance_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    brightness = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return (brightness * structure).mean((1, 2, 3)).float()


def _luma(pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """In grey levels. fp64: the variances are small differences of large numbers."""
    weights = torch.tensor(_LUMA, dtype=torch.float64, device=pictures.device)
    return torch.einsum("bchw,c->bhw", (pictures.double() + 1) * 127.5, weights)[:, None]


def _blur(x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 i j"]:
    at = torch.arange(_WINDOW, dtype=x.dtype, device=x.device) - _WINDOW // 2
    kernel = torch.exp(-(at**2) / (2 * _SIGMA**2))
    kernel = kernel / kernel.sum()
    return F.conv2d(F.conv2d(x, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
