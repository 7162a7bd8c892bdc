import numpy as np
import pytest
import torch
from diffusers.image_processor import VaeImageProcessor

from mezzotint.errors import InputError
from mezzotint.generation import pixels


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randn(2, 3, 8, 16, generator=torch.Generator().manual_seed(0))  # some lie outside [-1, 1]


@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
def test_each_form_is_diffusers(pictures: torch.Tensor, output_type: str) -> None:
    theirs = VaeImageProcessor().postprocess(pictures, output_type=output_type)
    ours = pixels.convert(pictures, output_type)
    assert len(ours) == len(theirs) == 2
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(ours, theirs, strict=True))


def test_bytes_span_all_grey_levels() -> None:
    levels = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).expand(1, 3, 1, 5)
    assert pixels.to_bytes(levels)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_unknown_forms_are_refused() -> None:
    with pytest.raises(InputError, match="no output type 'jpg': there are pil, np, pt, latent"):
        pixels.check_output_type("jpg")
