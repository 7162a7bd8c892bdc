"""Pictures of which every measure is known, or known to be more than another's."""

import io

import numpy as np
from PIL import Image, ImageFilter


def flat(level: int | tuple[int, int, int] = 128, size: tuple[int, int] = (256, 192)) -> np.ndarray:
    return np.asarray(Image.new("RGB", size, level if isinstance(level, tuple) else (level,) * 3))


def smooth(size: tuple[int, int] = (640, 480), seed: int = 0) -> Image.Image:
    """Soft coloured clouds: no edge, no noise, much of everything else."""
    grains = np.random.default_rng(seed).uniform(0, 255, (9, 12, 3)).astype(np.uint8)
    return Image.fromarray(grains).resize(size, Image.Resampling.BICUBIC)


def detailed(size: tuple[int, int] = (640, 480), seed: int = 0) -> Image.Image:
    """Clouds with sharp-edged shapes all over."""
    rng = np.random.default_rng(seed)
    picture = smooth(size, seed)
    for _ in range(400):
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        left, top = int(rng.integers(size[0])), int(rng.integers(size[1]))
        picture.paste(colour, (left, top, left + int(rng.integers(4, 40)), top + int(rng.integers(4, 40))))
    return picture


def noisy(picture: Image.Image, deviation: float, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, deviation, (picture.height, picture.width, 1))
    return Image.fromarray((np.asarray(picture) + noise).round().clip(0, 255).astype(np.uint8))


def blurred(picture: Image.Image, radius: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(radius))


def grey(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"))


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()
