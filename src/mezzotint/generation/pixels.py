"""Decoded pictures in the forms that callers ask for."""

from typing import Any

from einops import rearrange
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from mezzotint.errors import InputError

OUTPUT_TYPES = ("pil", "np", "pt", "latent")


def check_output_type(output_type: str) -> None:
    """
    Raises:
        InputError: There is no such output type.
    """
    if output_type not in OUTPUT_TYPES:
        raise InputError(f"there is no output type {output_type!r}: there are {', '.join(OUTPUT_TYPES)}")


def to_bytes(pictures: Float[Tensor, "b 3 h w"]) -> UInt8[Tensor, "b h w 3"]:
    """[−1, 1] to the 256 grey levels, rounded as diffusers rounds them."""
    return rearrange((to_unit(pictures) * 255).round().byte(), "b c h w -> b h w c")


def to_unit(pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """[−1, 1] to [0, 1]; what lies outside is clamped."""
    return (pictures / 2 + 0.5).clamp(0, 1)


def to_pil(pictures: Float[Tensor, "b 3 h w"]) -> list[Image.Image]:
    return [Image.fromarray(picture.numpy()) for picture in to_bytes(pictures).cpu()]


def convert(pictures: Float[Tensor, "b 3 h w"], output_type: str) -> Any:
    """`pil`: a list of images; `np`: an array "b h w 3" in [0, 1]; `pt`: a tensor "b 3 h w" in [0, 1]."""
    match output_type:
        case "pil":
            return to_pil(pictures)
        case "np":
            return rearrange(to_unit(pictures), "b c h w -> b h w c").cpu().numpy()
        case _:
            return to_unit(pictures)
