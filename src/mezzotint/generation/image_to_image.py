"""Image to image: a task begun inside its schedule, at a picture with noise on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from mezzotint.flow.path import interpolate
from mezzotint.flow.schedules import partial
from mezzotint.generation.request import Job
from mezzotint.generation.task import Run, Task
from mezzotint.models.autoencoder import Autoencoder, Posterior

STRENGTH = 0.6  # diffusers' default


@dataclass(frozen=True, kw_only=True)
class ImageToImage:
    """The last steps of a task, from x = (1 − σ)·z + σ·ε.

    z is drawn from the picture's posterior, as diffusers draws it: with the first of the two draws that each picture's
    seed gives; ε is the second.

    Attributes:
        task: Whose schedule and denoiser are used.
        posterior: Of the picture, in the size that is made.
        strength: The share of the steps that are run.
    """

    task: Task
    autoencoder: Autoencoder
    posterior: Posterior
    strength: float

    @property
    def sigmas(self) -> Float[Tensor, "sigmas"]:
        return partial(self.task.sigmas, self.strength)

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """Two draws, one below the other: in memory that is the one after the other."""
        channels, rows, columns = self.task.noise_shape
        return 2 * channels, rows, columns

    def run(self, jobs: Sequence[Job], noise: Float[Tensor, "b c2 h w"]) -> Run:
        clean, noise = self.clean_and_noise(noise)
        return self.task.run(jobs, at_sigma(self.sigmas[0], clean, noise))

    def clean_and_noise(
        self, draws: Float[Tensor, "b c2 h w"]
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b c h w"]]:
        """z and ε of each picture."""
        first, second = draws.chunk(2, dim=1)
        mean, log_variance = self.posterior.mean.expand_as(first), self.posterior.log_variance.expand_as(first)
        return self.autoencoder.scale(Posterior(mean, log_variance).sample(first)), second


def at_sigma(
    sigma: Float[Tensor, ""], clean: Float[Tensor, "b c h w"], noise: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b c h w"]:
    """(1 − σ)·z + σ·ε."""
    return interpolate(noise, clean, (1 - sigma).to(noise).expand(len(noise)))
