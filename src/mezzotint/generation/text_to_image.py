"""Text to image: from noise along the guided velocity of the captions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from jaxtyping import Float
from torch import Tensor

from mezzotint.flow.guidance import Guidance, Network
from mezzotint.generation.conditioning import C, Kept
from mezzotint.generation.request import Job, Request
from mezzotint.generation.task import Run


@dataclass(frozen=True, kw_only=True)
class TextToImage(Generic[C]):
    """The whole schedule, from pure noise.

    Attributes:
        network: What is guided: the transformer, or one that a ControlNet leads or that knows references.
        sigmas, noise_shape: See `task.Task`.
    """

    request: Request
    network: Network[C]
    guidance: Guidance
    captions: Kept[C]
    sigmas: Float[Tensor, "sigmas"]
    noise_shape: tuple[int, int, int]

    def run(self, jobs: Sequence[Job], noise: Float[Tensor, "b c h w"]) -> Run:
        request = self.request
        negatives = [request.negatives[job.prompt] for job in jobs] if request.guided else None
        condition = self.captions.condition([request.prompts[job.prompt] for job in jobs], negatives)
        return Run(noise, self.guidance.bind(self.network, condition))
