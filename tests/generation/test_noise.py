import pytest
import torch
from diffusers.utils.torch_utils import randn_tensor

from mezzotint.errors import InputError
from mezzotint.generation.noise import draw_noise, seeded_noise
from mezzotint.generation.request import Job

SHAPE = (16, 4, 6)
JOBS = [Job(0, 0, 5), Job(0, 1, 6), Job(1, 0, 5)]


def test_a_seed_is_one_draw_of_diffusers() -> None:
    theirs = randn_tensor((1, *SHAPE), generator=torch.Generator("cpu").manual_seed(6), dtype=torch.float32)
    assert torch.equal(seeded_noise(SHAPE)(JOBS[1]), theirs[0])


def test_one_generator_draws_all_at_once() -> None:
    noise = draw_noise(SHAPE, JOBS, torch.Generator().manual_seed(1), None)
    theirs = randn_tensor((3, *SHAPE), generator=torch.Generator().manual_seed(1))
    assert all(torch.equal(noise(job), row) for job, row in zip(JOBS, theirs, strict=True))


def test_a_list_has_one_for_each_picture() -> None:
    noise = draw_noise(SHAPE, JOBS, [torch.Generator().manual_seed(i) for i in range(3)], None)
    theirs = randn_tensor((3, *SHAPE), generator=[torch.Generator().manual_seed(i) for i in range(3)])
    assert all(torch.equal(noise(job), row) for job, row in zip(JOBS, theirs, strict=True))


def test_given_latents_are_taken_as_they_are() -> None:
    latents = torch.randn(3, *SHAPE, dtype=torch.float64)
    noise = draw_noise(SHAPE, JOBS, None, latents)
    assert torch.equal(noise(JOBS[2]), latents[2].float())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"latents have the shape \(2, 16, 4, 6\); this call needs \(3, 16, 4, 6\)"):
        draw_noise(SHAPE, JOBS, None, torch.zeros(2, *SHAPE))
    with pytest.raises(InputError, match="2 generators do not match 3 pictures"):
        draw_noise(SHAPE, JOBS, [torch.Generator(), torch.Generator()], None)
