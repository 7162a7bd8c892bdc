"""Z-Image: what its networks can make, and the task that a request is for them."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.flow.guidance import ClassifierFree
from mezzotint.generation import image_to_image, inpainting
from mezzotint.generation.conditioning import CaptionRefiner, Kept
from mezzotint.generation.control import Controlled, control_context, load_control
from mezzotint.generation.guidance_parallel import Divide, alone
from mezzotint.generation.image_to_image import ImageToImage
from mezzotint.generation.inpainting import Inpainting, latent_mask
from mezzotint.generation.inputs import Inputs, mask_tensor, picture_tensor
from mezzotint.generation.limits import check_size, most_tokens
from mezzotint.generation.loading import Components, load_components
from mezzotint.generation.placement import PLAIN, Placement
from mezzotint.generation.request import Request
from mezzotint.generation.settings import Settings
from mezzotint.generation.task import Task
from mezzotint.generation.text_to_image import TextToImage
from mezzotint.models.adapters.control import ControlNet
from mezzotint.models.autoencoder import Posterior
from mezzotint.models.sources import Sources, as_sources


class ZImage:
    """A model of the Z-Image family (`task.Model`)."""

    edits = False

    def __init__(self, components: Components) -> None:
        self.transformer, self.autoencoder = components.transformer, components.autoencoder
        self.text, self.schedule, self.defaults = components.text, components.schedule, components.defaults
        self.control: ControlNet | None = None
        self.divide: Divide = alone

    @classmethod
    def load(
        cls, model: Path | Sources, device: torch.device, dtype: torch.dtype, placement: Placement = PLAIN
    ) -> "ZImage":
        """
        Raises:
            MissingFileError, FileFormatError: As `loading.load_components`.
            InputError: There is a ControlNet, and a placement in which it cannot lead.
        """
        sources = as_sources(model)
        path = sources.components.get("controlnet")
        if path and placement.transformer_leaves:
            raise InputError(f"a ControlNet needs the transformer on the device: offload {placement.offload} moves it")
        loaded = cls(load_components(sources, device, dtype, placement))
        if path:
            loaded.control = load_control(path, loaded.transformer, dtype, device)
        return loaded

    @property
    def networks(self) -> list[nn.Module]:
        return [self.transformer] if self.control is None else [self.control, self.transformer]

    def defaults_for(self, inputs: Inputs) -> Settings:
        """An image to begin with says the size."""
        return self.defaults.sized_like(*inputs.images[0].size) if inputs.images else self.defaults

    def strength(self, inputs: Inputs) -> float | None:
        if not inputs.images or (inputs.control and inputs.mask):
            return None  # a ControlNet that sees the mask begins with noise
        default = image_to_image.STRENGTH if inputs.mask is None else inpainting.STRENGTH
        return default if inputs.strength is None else inputs.strength

    def task(self, request: Request) -> Task:
        self._check(request)
        inputs, settings = request.inputs, request.settings
        task = self._from_noise(request, CaptionRefiner(self.text, self.transformer, self._max_tokens(request)))
        strength = self.strength(inputs)
        if strength is None:
            return task
        start = ImageToImage(
            task=task,
            autoencoder=self.autoencoder,
            posterior=self._posterior(picture_tensor(inputs.images[0], settings.width, settings.height)),
            strength=strength,
        )
        if inputs.mask is None:
            return start
        mask = latent_mask(self._mask(inputs.mask, settings), self.autoencoder.downscale)
        return Inpainting(start=start, mask=mask)

    def _from_noise(self, request: Request, captions: Kept[Any]) -> TextToImage[Any]:
        """The whole way, under what `captions` makes of prompts."""
        inputs, settings = request.inputs, request.settings
        return TextToImage(
            request=request,
            network=self.divide(self.transformer if inputs.control is None else self._controlled(inputs, settings)),
            guidance=ClassifierFree(g=settings.guidance, norm_limit=request.norm_limit, truncation=request.truncation),
            captions=captions,
            sigmas=self.schedule(settings.steps, self._picture_tokens(settings)),
            noise_shape=self._latent_shape(settings),
        )

    def _check(self, request: Request) -> None:
        """
        Raises:
            InputError: The size cannot be made, or the pictures do not go together, or not with this model.
        """
        self._latent_shape(request.settings)
        inputs = request.inputs
        if len(inputs.images) > 1:
            raise InputError(f"this model begins with one image, not with {len(inputs.images)}")
        if inputs.control is not None and self.control is None:
            raise InputError(
                "there is a control image but no ControlNet to follow it; give one with the model (--control)"
            )
        if inputs.control and inputs.mask and inputs.strength is not None:
            raise InputError("a ControlNet that sees the mask begins with noise; leave strength out")

    def _controlled(self, inputs: Inputs, settings: Settings) -> Controlled:
        """The transformer, led by the control image, and with a mask by what is kept of the image too."""
        assert self.control is not None
        assert inputs.control is not None
        keep = None
        if inputs.mask is not None:
            mask = self._mask(inputs.mask, settings)
            kept = self._encoded(inputs.images[0], settings, 1 - mask)
            keep = torch.cat([1 - latent_mask(mask, self.autoencoder.downscale), kept], dim=1)
        return Controlled(
            transformer=self.transformer,
            control=self.control,
            context=control_context(self._encoded(inputs.control, settings), self.control.config.in_channels, keep),
            scale=inputs.control_scale,
        )

    def _encoded(
        self, picture: Image.Image, settings: Settings, keep: Float[Tensor, "1 1 height width"] | float = 1.0
    ) -> Float[Tensor, "1 c h w"]:
        """Latents of a picture, grey where `keep` is 0: the posterior's mean."""
        pixels = picture_tensor(picture, settings.width, settings.height).to(self._device) * keep
        return self.autoencoder.scale(self._posterior(pixels).mean)

    def _mask(self, mask: Image.Image, settings: Settings) -> Float[Tensor, "1 1 height width"]:
        return mask_tensor(mask, settings.width, settings.height).to(self._device)

    @torch.inference_mode()
    def _posterior(self, pictures: Float[Tensor, "b 3 height width"]) -> Posterior:
        return self.autoencoder.moments(pictures.to(self._device))

    @property
    def _device(self) -> torch.device:
        return self.transformer.final_layer.weight.device

    def tokens(self, request: Request) -> int:
        return self._picture_tokens(request.settings)

    def _picture_tokens(self, settings: Settings) -> int:
        _, rows, columns = self._latent_shape(settings)
        return rows * columns // self.transformer.config.patch_size**2

    def _latent_shape(self, settings: Settings) -> tuple[int, int, int]:
        """Channels, rows and columns of the latents of one picture.

        Raises:
            InputError: The size is no multiple of what the model makes, or larger than its position tables.
        """
        down = self.autoencoder.downscale
        check_size(self.transformer, down, width=settings.width, height=settings.height)
        return self.transformer.config.in_channels, settings.height // down, settings.width // down

    def _max_tokens(self, request: Request) -> int:
        """Tokens of a prompt that are read: what the request says, or all."""
        most = most_tokens(self.transformer)
        if request.max_tokens is not None:
            return min(request.max_tokens, most)
        texts = request.prompts + (request.negatives if request.guided else ())
        for text, ids in zip(texts, self.text.token_ids(texts, max_tokens=most + 1), strict=True):
            if len(ids) > most:
                raise InputError(f"a prompt has more than the {most} tokens that this model takes: {text[:40]!r}…")
        return most
