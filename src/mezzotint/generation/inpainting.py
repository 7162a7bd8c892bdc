"""Inpainting: image to image that keeps what the mask does not show."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mezzotint.generation.image_to_image import ImageToImage, at_sigma
from mezzotint.generation.request import Job
from mezzotint.generation.task import Run

STRENGTH = 1.0  # diffusers' default: what is painted anew knows nothing of what was there


@dataclass(frozen=True, kw_only=True)
class Inpainting:
    """After each step, what is kept is put back with the noise of the step's end: (1 − σ)·z + σ·ε with one ε.

    Attributes:
        mask: Of latent pixels: 1 is painted, 0 is kept.
    """

    start: ImageToImage
    mask: Float[Tensor, "1 1 h w"]

    @property
    def sigmas(self) -> Float[Tensor, "sigmas"]:
        return self.start.sigmas

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        return self.start.noise_shape

    def run(self, jobs: Sequence[Job], noise: Float[Tensor, "b c2 h w"]) -> Run:
        run = self.start.run(jobs, noise)
        clean, noise = self.start.clean_and_noise(noise)
        sigmas = self.sigmas

        def keep(step: int, x: Float[Tensor, "b c h w"]) -> None:
            x.copy_(at_sigma(sigmas[step + 1], clean, noise).lerp(x, self.mask))

        return run._replace(on_step=keep)


def latent_mask(mask: Float[Tensor, "1 1 height width"], downscale: int) -> Float[Tensor, "1 1 h w"]:
    """Of each latent pixel the mask at its upper left corner, as diffusers takes it."""
    return F.interpolate(mask, scale_factor=1 / downscale, mode="nearest")
