"""Qwen-Image-Edit and Edit-Plus: pictures and a text that says what becomes of them, to a new picture.

Each picture is encoded twice (Qwen-Image report, "dual encoding"): the vision tower tells the language model what it
shows, and the autoencoder's latents stand beside the picture in the making, in the network's own sequence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.generation.inputs import Inputs, picture_tensor, scaled
from mezzotint.generation.limits import QWEN_IMAGE_TOKENS
from mezzotint.generation.loading_qwen_image import QwenImageComponents, load_components, load_pixel_limits
from mezzotint.generation.placement import PLAIN, Placement
from mezzotint.generation.qwen_image import QwenImage, Template
from mezzotint.generation.request import Request
from mezzotint.generation.settings import Settings
from mezzotint.generation.task import Task
from mezzotint.models.captions import Captions
from mezzotint.models.dual_stream.rotary import POSITIONS
from mezzotint.models.sources import Sources, as_sources
from mezzotint.models.vision_language import PICTURE, PixelLimits, Seen, patches_of

EDITING = Template(
    "Describe the key features of the input image (color, shape, size, texture, objects, background), then explain how "
    "the user's text instruction should alter or modify the image. Generate a new image that meets the user's "
    "requirements while maintaining consistency with the original input where appropriate.",
    64,
)
SIDE = 32  # the sides of references are multiples of this


@dataclass(frozen=True, kw_only=True)
class Release:
    """What differs between Edit and Edit-Plus.

    Attributes:
        most_pictures: That it can be given; None: any number.
        numbered: Whether each is announced as "Picture 1:", "Picture 2:", …
        vision_share: The area that the vision tower sees over that of the reference latents.
        shape_of: The index of the picture whose shape the new one has.
    """

    most_pictures: int | None
    numbered: bool
    vision_share: float
    shape_of: int

    def announced(self, pictures: int) -> str:
        """The pictures as they stand in a prompt."""
        names = [f"Picture {i + 1}: " if self.numbered else "" for i in range(pictures)]
        return "".join(name + PICTURE for name in names)


EDIT = Release(most_pictures=1, numbered=False, vision_share=1.0, shape_of=0)
EDIT_PLUS = Release(most_pictures=None, numbered=True, vision_share=(384 / 1024) ** 2, shape_of=-1)


class QwenImageEdit(QwenImage):
    """A Qwen-Image that edits a picture (`task.Model`). References are brought to the area of the model's own size."""

    edits = True
    release = EDIT

    def __init__(self, components: QwenImageComponents, limits: PixelLimits) -> None:
        super().__init__(components)
        self.limits = limits

    @classmethod
    def load(
        cls, model: Path | Sources, device: torch.device, dtype: torch.dtype, placement: Placement = PLAIN
    ) -> "QwenImageEdit":
        """
        Raises:
            MissingFileError, FileFormatError: As `loading_qwen_image.load_components`.
        """
        limits = load_pixel_limits(as_sources(model).folder)
        return cls(load_components(model, device, dtype, placement, vision=True), limits)

    def defaults_for(self, inputs: Inputs) -> Settings:
        """The new picture has the shape of one that is given, and the model's own area."""
        if not inputs.images:
            return self.defaults
        width, height = area_shaped_like(inputs.images[self.release.shape_of], self._area)
        return self.defaults.sized_like(width, height)

    def task(self, request: Request) -> Task:
        pictures = request.inputs.images
        self._check(request.inputs)
        self._latent_shape(request.settings)
        seen = self._look(pictures)
        self._check_room(request, seen)
        read = self._reading(request, EDITING, self.release.announced(len(pictures)), seen)
        references = self._references(pictures)

        def network(x: Float[Tensor, "b c h w"], t: Float[Tensor, "1"], captions: Captions) -> Float[Tensor, "b c h w"]:
            return self.transformer(x, t, captions, [references] * len(x))

        return self._from_noise(request, network, read)

    def tokens(self, request: Request) -> int:
        sizes = self._reference_sizes(request.inputs.images)
        return super().tokens(request) + sum(width * height // self._patch**2 for width, height in sizes)

    def _check(self, inputs: Inputs) -> None:
        """
        Raises:
            InputError: There is nothing to edit, too much of it, or what this model has no use for.
        """
        count, most = len(inputs.images), self.release.most_pictures
        if not count:
            raise InputError("there is no image to edit: give one")
        if most is not None and count > most:
            raise InputError(f"this model edits {most} image, not {count}: a Qwen-Image-Edit-Plus model takes several")
        if Inputs(images=inputs.images) != inputs:
            raise InputError("this model edits as the prompt says: give it no mask, strength or control image")

    def _check_room(self, request: Request, seen: Sequence[Seen]) -> None:
        """
        Raises:
            InputError: What is seen leaves no positions for a prompt: they begin behind half of the longest side.
        """
        sizes = [(request.settings.width, request.settings.height), *self._reference_sizes(request.inputs.images)]
        room = POSITIONS - QWEN_IMAGE_TOKENS - max(map(max, sizes)) // self._patch // 2
        taken = sum(len(picture.tokens) for picture in seen)
        if taken > room:
            raise InputError(f"{len(seen)} images take {taken} tokens; this model has room for {room}: give fewer")

    @property
    def _area(self) -> int:
        return self.defaults.width * self.defaults.height

    @property
    def _patch(self) -> int:
        """Side of a patch in pixels."""
        return self.autoencoder.downscale * self.transformer.config.patch_size

    def _reference_sizes(self, pictures: Sequence[Image.Image]) -> list[tuple[int, int]]:
        """Width and height in which the autoencoder sees them."""
        return [area_shaped_like(picture, self._area) for picture in pictures]

    def _look(self, pictures: Sequence[Image.Image]) -> list[Seen]:
        """What the vision tower sees."""
        vision = self.text.config.vision
        assert vision is not None  # this model is loaded with its vision tower
        area = self.release.vision_share * self._area
        shown = [scaled(picture, *area_shaped_like(picture, area)) for picture in pictures]
        return self.text.look([patches_of(picture, vision, self.limits) for picture in shown])

    @torch.inference_mode()
    def _references(self, pictures: Sequence[Image.Image]) -> list[Float[Tensor, "c _ _"]]:
        """What the autoencoder makes of them."""
        sizes = self._reference_sizes(pictures)
        tensors = [picture_tensor(picture, *size) for picture, size in zip(pictures, sizes, strict=True)]
        return [self.autoencoder.encode(tensor.to(self.text.device))[0] for tensor in tensors]


class QwenImageEditPlus(QwenImageEdit):
    """One that edits several pictures together (`task.Model`)."""

    release = EDIT_PLUS


def area_shaped_like(picture: Image.Image, area: float) -> tuple[int, int]:
    """Width and height, multiples of 32, of about this area and the picture's shape."""
    ratio = picture.width / picture.height
    width = math.sqrt(area * ratio)
    return max(1, round(width / SIDE)) * SIDE, max(1, round(width / ratio / SIDE)) * SIDE
