import torch

from mezzotint.runtime.seeds import Seeds, picture_noise


def test_a_draw_depends_on_all_four_and_on_nothing_else() -> None:
    seeds = Seeds(7)
    reference = seeds.normal((4,), "noise", step=3, index=1)
    torch.rand(10)
    assert torch.equal(reference, Seeds(7).normal((4,), "noise", step=3, index=1))
    others = [
        Seeds(8).normal((4,), "noise", 3, 1),
        seeds.normal((4,), "times", 3, 1),
        seeds.normal((4,), "noise", 4, 1),
        seeds.normal((4,), "noise", 3, 2),
    ]
    assert not any(torch.equal(reference, other) for other in others)


def test_picture_noise_is_the_generators_first_draw() -> None:
    expected = torch.randn((1, 16, 4, 4), generator=torch.Generator("cpu").manual_seed(5))
    assert torch.equal(picture_noise(5, (1, 16, 4, 4)), expected)
