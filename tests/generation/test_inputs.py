import numpy as np
import pytest
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from tests.generation.pictures import photograph, right_half

from mezzotint.errors import InputError
from mezzotint.generation.inputs import Inputs, as_images, mask_tensor, picture_tensor


@pytest.mark.parametrize("size", [(64, 48), (50, 90)])
def test_a_picture_is_scaled_as_diffusers_does_it(size: tuple[int, int]) -> None:
    theirs = VaeImageProcessor(vae_scale_factor=16).preprocess(photograph(*size), height=48, width=64)
    torch.testing.assert_close(picture_tensor(photograph(*size), 64, 48), theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(64, 48), (50, 90)])
def test_a_mask_is_what_diffusers_takes_it_for(size: tuple[int, int]) -> None:
    processor = VaeImageProcessor(vae_scale_factor=16, do_normalize=False, do_binarize=True, do_convert_grayscale=True)
    for mask in (right_half(*size), photograph(*size), photograph(*size).convert("L")):
        theirs = processor.preprocess(mask, height=48, width=64)
        assert torch.equal(mask_tensor(mask.convert("RGB"), 64, 48), theirs)


def test_any_mode_becomes_rgb_and_transparency_white() -> None:
    grey, palette = Image.new("L", (2, 2), 7), photograph(8, 8).convert("P")
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert [image.mode for image in as_images([grey, palette, clear], "image")] == ["RGB"] * 3
    assert np.asarray(as_images(clear, "image")[0]).min() == 255
    assert as_images(None, "image") == ()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"strength": 0.5}, "there is strength but no image"),
        ({"mask": right_half(8, 8)}, "there is a mask but no image"),
        ({"images": (photograph(8, 8),), "mask": right_half(8, 9)}, "the mask is 8x9 and the image 8x8"),
        ({"images": (photograph(8, 8),), "strength": 0.0}, "strength is 0.0"),
        ({"images": (photograph(8, 8),), "strength": float("nan")}, "strength is nan"),
        ({"control_scale": float("inf")}, "the control scale is inf"),
    ],
)
def test_the_impossible_is_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Inputs(**options)  # type: ignore[arg-type]
