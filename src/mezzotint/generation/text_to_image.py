"""Text to image with Z-Image: from noise along the guided velocity of the captions."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from mezzotint.flow.guidance import ClassifierFree, Network
from mezzotint.generation.conditioning import CaptionRefiner
from mezzotint.generation.request import Job, Request
from mezzotint.generation.task import Run
from mezzotint.models.single_stream import Captions


@dataclass(frozen=True, kw_only=True)
class TextToImage:
    """The whole schedule, from pure noise.

    Attributes:
        network: What is guided: the transformer, or one that a ControlNet leads.
        sigmas, noise_shape: See `task.Task`.
    """

    request: Request
    network: Network[Captions]
    refiner: CaptionRefiner
    sigmas: Float[Tensor, "sigmas"]
    noise_shape: tuple[int, int, int]

    def run(self, jobs: Sequence[Job], noise: Float[Tensor, "b c h w"]) -> Run:
        request = self.request
        negatives = [request.negatives[job.prompt] for job in jobs] if request.guided else None
        condition = self.refiner.condition([request.prompts[job.prompt] for job in jobs], negatives)
        guidance = ClassifierFree(
            g=request.settings.guidance, norm_limit=request.norm_limit, truncation=request.truncation
        )
        return Run(noise, guidance.bind(self.network, condition))
