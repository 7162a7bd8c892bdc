"""Qwen-Image (arXiv 2508.02324): what its networks can make of text, and the task that a request is for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from mezzotint.errors import InputError
from mezzotint.flow.guidance import Network, TrueGuidance
from mezzotint.generation.conditioning import KeptCaptions
from mezzotint.generation.guidance_parallel import Divide, alone
from mezzotint.generation.inputs import NOTHING, Inputs
from mezzotint.generation.limits import QWEN_IMAGE_TOKENS, check_size
from mezzotint.generation.loading_qwen_image import QwenImageComponents, load_components
from mezzotint.generation.placement import PLAIN, Placement
from mezzotint.generation.request import Request
from mezzotint.generation.settings import Settings
from mezzotint.generation.task import Task
from mezzotint.generation.text_to_image import TextToImage
from mezzotint.models.captions import Captions
from mezzotint.models.dual_stream import DualStreamTransformer
from mezzotint.models.sources import Sources
from mezzotint.models.text import in_chat
from mezzotint.models.text.tokenizer import TURN_END, TURN_START
from mezzotint.models.vision_language import Seen


@dataclass(frozen=True)
class Template:
    """What the language model is told before the user's turn; the features of these first tokens are dropped.

    Attributes:
        dropped: Tokens of the system's turn, and of what begins the user's, in the released vocabulary.
    """

    system: str
    dropped: int

    def around(self, prompt: str) -> str:
        """The whole text for a prompt."""
        return f"{TURN_START}system\n{self.system}{TURN_END}\n{in_chat(prompt)}"


GENERATION = Template(
    "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial relationships of the "
    "objects and background:",
    34,
)


class QwenImage:
    """A Qwen-Image that paints what a text says (`task.Model`)."""

    edits = False

    def __init__(self, components: QwenImageComponents) -> None:
        self.transformer, self.autoencoder = components.transformer, components.autoencoder
        self.text, self.schedule, self.defaults = components.text, components.schedule, components.defaults
        self.divide: Divide = alone

    @classmethod
    def load(
        cls, model: Path | Sources, device: torch.device, dtype: torch.dtype, placement: Placement = PLAIN
    ) -> "QwenImage":
        """
        Raises:
            MissingFileError, FileFormatError: As `loading_qwen_image.load_components`.
        """
        return cls(load_components(model, device, dtype, placement, vision=False))

    @property
    def networks(self) -> list[DualStreamTransformer]:
        return [self.transformer]

    def defaults_for(self, inputs: Inputs) -> Settings:
        return self.defaults

    def strength(self, inputs: Inputs) -> None:
        return None

    def tokens(self, request: Request) -> int:
        return self._picture_tokens(request.settings)

    def _picture_tokens(self, settings: Settings) -> int:
        _, rows, columns = self._latent_shape(settings)
        return rows * columns // self.transformer.config.patch_size**2

    def task(self, request: Request) -> Task:
        if request.inputs != NOTHING:
            raise InputError("this model makes pictures from text alone: a Qwen-Image-Edit model edits pictures")
        return self._from_noise(request, self.transformer, self._reading(request, GENERATION))

    def _reading(
        self, request: Request, template: Template, pictures: str = "", seen: Sequence[Seen] = ()
    ) -> Callable[[list[str]], Captions]:
        """From prompts to what the network reads of them; before each stand the `pictures` that are `seen`.

        Raises:
            InputError: A prompt has more tokens than are read.
        """

        def texts(prompts: Sequence[str]) -> list[str]:
            return [template.around(pictures + prompt) for prompt in prompts]

        limit = QWEN_IMAGE_TOKENS
        most = template.dropped + (limit if request.max_tokens is None else min(request.max_tokens, limit))
        if request.max_tokens is None:
            prompts = request.prompts + (request.negatives if request.guided else ())
            for prompt, ids in zip(prompts, self.text.token_ids(texts(prompts), max_tokens=most + 1), strict=True):
                if len(ids) > most:
                    raise InputError(
                        f"a prompt has more than the {limit} tokens that this model takes: {prompt[:40]!r}…"
                    )

        def read(prompts: list[str]) -> Captions:
            features = self.text.encode(texts(prompts), seen, max_tokens=most)
            return self.transformer.embed_captions([feature[template.dropped :] for feature in features])

        return read

    def _from_noise(
        self, request: Request, network: Network[Captions], read: Callable[[list[str]], Captions]
    ) -> TextToImage:
        settings = request.settings
        return TextToImage(
            request=request,
            network=self.divide(network),
            guidance=TrueGuidance(w=settings.guidance, patch=self.transformer.config.patch_size),
            captions=KeptCaptions(read),
            sigmas=self.schedule(settings.steps, self._picture_tokens(settings)),
            noise_shape=self._latent_shape(settings),
        )

    def _latent_shape(self, settings: Settings) -> tuple[int, int, int]:
        """Channels, rows and columns of the latents of one picture.

        Raises:
            InputError: The size is no multiple of what the model makes, or larger than its position tables.
        """
        down = self.autoencoder.downscale
        check_size(self.transformer, down, width=settings.width, height=settings.height)
        return self.transformer.config.latent_channels, settings.height // down, settings.width // down
