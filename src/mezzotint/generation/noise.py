"""Where a picture's noise comes from: its seed, a caller's generators, or the caller."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.generation.request import Job
from mezzotint.runtime.seeds import picture_noise

Noise = Callable[[Job], Float[Tensor, "c h w"]]
"""The fp32 noise of one picture."""


def seeded_noise(shape: tuple[int, int, int]) -> Noise:
    """Each picture's noise from its own seed: one draw of shape (1, c, h, w), which diffusers repeats."""

    def noise(job: Job) -> Tensor:
        assert job.seed is not None  # a request without seeds comes with its noise
        return picture_noise(job.seed, (1, *shape))[0]

    return noise


def draw_noise(
    shape: tuple[int, int, int],
    jobs: Sequence[Job],
    generator: torch.Generator | Sequence[torch.Generator] | None,
    latents: Float[Tensor, "b c h w"] | None,
) -> Noise:
    """The noise of all jobs, from what the caller gave, as diffusers takes it; from the jobs' seeds otherwise.

    One generator draws all pictures at once; a list has one for each picture.

    Raises:
        InputError: The latents' shape or the number of generators does not fit.
    """
    full = (len(jobs), *shape)
    if latents is not None:
        if tuple(latents.shape) != full:
            raise InputError(f"latents have the shape {tuple(latents.shape)}; this call needs {full}")
        drawn = latents.float()
    elif isinstance(generator, torch.Generator):
        drawn = torch.randn(full, generator=generator, device=generator.device)
    elif generator is not None:
        if len(generator) != len(jobs):
            raise InputError(f"{len(generator)} generators do not match {len(jobs)} pictures")
        drawn = torch.stack([torch.randn((1, *shape), generator=one, device=one.device)[0] for one in generator])
    else:
        return seeded_noise(shape)
    place = {job: row for row, job in enumerate(jobs)}
    return lambda job: drawn[place[job]]
