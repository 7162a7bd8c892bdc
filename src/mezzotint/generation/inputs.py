"""Pictures that a request is given besides its prompts: to begin with, to edit, or to follow."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mezzotint.data.pictures import to_tensor
from mezzotint.errors import InputError

WHITE = (255, 255, 255)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Pictures in "RGB", and what is done with them.

    Attributes:
        images: One to begin with, or some to edit; of any size.
        mask: As large as the first image: what is white is painted anew, what is black is kept. None: all is painted.
        strength: In (0, 1]: the share of the steps that are run on an image to begin with. None: the task's own.
        control: What a ControlNet follows, of any size. control_scale: How strongly; 0 is not at all.

    Raises:
        InputError: A value is impossible, or the mask does not fit the image.
    """

    images: tuple[Image.Image, ...] = ()
    mask: Image.Image | None = None
    strength: float | None = None
    control: Image.Image | None = None
    control_scale: float = 0.75

    def __post_init__(self) -> None:
        if self.strength is not None and not 0 < self.strength <= 1:
            raise InputError(f"strength is {self.strength}; it must be above 0 (the image) and at most 1 (pure noise)")
        if not math.isfinite(self.control_scale):
            raise InputError(f"the control scale is {self.control_scale}; it must be a number")
        if not self.images and (self.mask is not None or self.strength is not None):
            given = "strength" if self.mask is None else "a mask"
            raise InputError(f"there is {given} but no image that it is for; give the image too")
        if self.mask is not None and self.mask.size != self.images[0].size:
            mask, image = ("x".join(map(str, picture.size)) for picture in (self.mask, self.images[0]))
            raise InputError(f"the mask is {mask} and the image {image}; they must be equally large")

    def digests(self) -> dict[str, str | None]:
        """The SHA-256 of the sizes and pixels of the images, of the mask and of what to follow."""
        mask, control = ([] if picture is None else [picture] for picture in (self.mask, self.control))
        return {"image": _digest(self.images), "mask": _digest(mask), "control_image": _digest(control)}


def _digest(pictures: Sequence[Image.Image]) -> str | None:
    together = hashlib.sha256()
    for picture in pictures:
        together.update(f"{picture.width}x{picture.height} ".encode() + picture.tobytes())
    return together.hexdigest() if pictures else None


NOTHING = Inputs()


def as_images(images: Image.Image | Sequence[Image.Image] | None, what: str) -> tuple[Image.Image, ...]:
    """None, one or several pictures in any mode, as several in "RGB"; what is transparent becomes white.

    Raises:
        InputError: One is no picture; `what` names it.
    """
    several = () if images is None else images if isinstance(images, Sequence) else (images,)
    return tuple(as_rgb(image, what) for image in several)


def as_rgb(image: Any, what: str) -> Image.Image:
    """
    Raises:
        InputError: It is no picture; `what` names it.
    """
    if not isinstance(image, Image.Image):
        raise InputError(f"{what} is a {type(image).__name__}; it must be a PIL.Image")
    if not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGB", image.size, WHITE)
    cut_out = image.convert("RGBA")
    canvas.paste(cut_out, (0, 0), cut_out)
    return canvas


def picture_tensor(picture: Image.Image, width: int, height: int) -> Float[Tensor, "1 3 height width"]:
    """In [−1, 1], scaled to the size as diffusers does it (Lanczos)."""
    return to_tensor([scaled(picture, width, height)])


def mask_tensor(mask: Image.Image, width: int, height: int) -> Float[Tensor, "1 1 height width"]:
    """1 where the scaled mask is brighter than the middle grey, else 0."""
    grey = np.asarray(scaled(mask, width, height).convert("L"))
    return torch.from_numpy(grey > 127).float()[None, None]


def scaled(picture: Image.Image, width: int, height: int) -> Image.Image:
    """A picture in another size (Lanczos)."""
    return picture.resize((width, height), Image.Resampling.LANCZOS)
