from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tests import parity
from tests.models.single_stream import oracle as text_to_image
from tests.models.single_stream.omni_oracle import (
    PLAIN,
    SIGLIP,
    Case,
    OmniInputs,
    oracle_velocity,
    ours,
    random_inputs,
    velocity,
)
from tests.models.single_stream.oracle import random_oracle
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.models.single_stream import OmniTransformer, SingleStreamConfig, init_weights, to_published

WITHOUT_VISION = {
    "no reference": Case([(8, 8)], [[]], [[20]], [[]]),
    "1 reference": Case([(8, 8)], [[(8, 8)]], [[4, 20, 3]], [[]]),
    "2 references": Case([(8, 12)], [[(12, 8), (6, 6)]], [[4, 2, 33, 3]], [[]]),
    "no segment is padded": Case([(8, 16)], [[(8, 16)]], [[32, 64, 32]], [[]]),
    "unequal in a batch": Case(
        [(8, 8), (6, 10), (8, 8)], [[(8, 8)], [(4, 4), (6, 6)], []], [[4, 9, 3], [4, 2, 40, 3], [7]], [[]] * 3
    ),
    "alike in a batch": Case([(8, 8)] * 3, [[(8, 8)]] * 3, [[4, 9, 3], [4, 30, 3], [4, 12, 3]], [[]] * 3),
}
WITH_VISION = {
    "1 reference": Case([(8, 8)], [[(8, 8)]], [[4, 20, 3]], [[(3, 5)]]),
    "2 references": Case([(8, 12)], [[(12, 8), (6, 6)]], [[4, 2, 33, 3]], [[(8, 4), (7, 1)]]),
    "unequal in a batch": Case(
        [(8, 8), (6, 10)], [[(8, 8)], [(4, 4), (6, 6)]], [[4, 9, 3], [4, 2, 40, 3]], [[(5, 7)], [(6, 6), (1, 1)]]
    ),
    "alike in a batch": Case([(8, 8)] * 2, [[(8, 8)]] * 2, [[4, 9, 3], [4, 30, 3]], [[(4, 8)]] * 2),
}
CASES = {
    **{f"{name}, without SigLIP": (PLAIN, case) for name, case in WITHOUT_VISION.items()},
    **{f"{name}, with SigLIP": (SIGLIP, case) for name, case in WITH_VISION.items()},
    "1 reference, with a SigLIP tower that is not asked": (SIGLIP, WITHOUT_VISION["1 reference"]),
}


@pytest.mark.parametrize("name", CASES)
def test_velocity_and_gradients_are_the_published_networks(name: str) -> None:
    config, case = CASES[name]
    oracle = random_oracle(config)
    model, given = ours(oracle, config), random_inputs(config, case)
    expected, actual = oracle_velocity(oracle, given), velocity(model, given)
    difference = max((a - b).abs().max().item() for a, b in zip(actual, expected, strict=True))
    assert all(0.3 < v.std() < 3.0 for v in expected)
    assert difference <= 2e-5
    parity.record(f"Z-Image Omni: {name}", velocity=difference)

    weights = [torch.randn(v.shape, generator=torch.Generator().manual_seed(1)) for v in expected]
    for velocities in (actual, expected):
        sum((w * v).sum() for w, v in zip(weights, velocities, strict=True)).backward()  # type: ignore[union-attr]
    gradients = to_published(with_gradients(model), config)
    for parameter_name, parameter in oracle.named_parameters():
        reference = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        limit = 1e-4 * reference.abs().max().item()
        assert (gradients[parameter_name] - reference).abs().max().item() <= limit, parameter_name


def with_gradients(model: OmniTransformer) -> dict[str, Tensor]:
    """The gradients by our names; those of what was not used are zero."""
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in model.named_parameters()
    }


def test_a_picture_is_the_same_alone_and_in_any_company() -> None:
    """Also beside one without references, which the published network cannot take when there is a vision tower."""
    model = ours(random_oracle(SIGLIP), SIGLIP)
    case = Case(
        [(8, 8), (6, 10), (8, 8)],
        [[(8, 8)], [], [(4, 4), (6, 6)]],
        [[4, 9, 3], [7], [4, 2, 40, 3]],
        [[(5, 7)], [], [(6, 6), (1, 1)]],
    )
    given = random_inputs(SIGLIP, case)
    together = velocity(model, given)
    for i in range(3):
        alone = OmniInputs(
            given.latents[i : i + 1],
            given.t[i : i + 1],
            given.references[i : i + 1],
            given.segments[i : i + 1],
            given.vision[i : i + 1],
        )
        torch.testing.assert_close(together[i], velocity(model, alone)[0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_references_act_and_are_told_the_time_of_clean_pictures() -> None:
    model = ours(random_oracle(SIGLIP), SIGLIP)
    given = random_inputs(SIGLIP, WITH_VISION["1 reference"])
    (before,) = velocity(model, given)
    for change in (
        replace(given, references=[[1.5 * x for x in one] for one in given.references]),
        replace(given, vision=[[x.roll(1, 0) for x in one] for one in given.vision]),
        replace(given, segments=[[-x for x in one] for one in given.segments]),
        replace(given, t=given.t * 0.5),
    ):
        assert (velocity(model, change)[0] - before).abs().max() > 0.01
    conditions = model.refine(given.segments, given.references, given.vision)
    again = model(given.latents, given.t, conditions)[0]
    assert torch.equal(again, before)  # a condition is good for every step


@torch.no_grad()
def test_under_a_plain_caption_it_is_the_network_of_text_to_image() -> None:
    oracle = random_oracle(SIGLIP)
    latents, t, features = text_to_image.random_inputs(SIGLIP, [(8, 8)] * 2, [5, 40])
    model = ours(oracle, SIGLIP)
    expected = text_to_image.oracle_velocity(oracle, latents, t, features)
    for a, b in zip(model(latents, t, model.refine_captions(features)), expected, strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=0)


@torch.no_grad()
def test_a_tensor_and_a_list_of_latents_and_one_time_or_several_give_the_same() -> None:
    model = ours(random_oracle(SIGLIP), SIGLIP)
    given = random_inputs(SIGLIP, WITH_VISION["alike in a batch"])
    conditions = model.refine(given.segments, given.references, given.vision)
    dense = model(torch.stack(given.latents), given.t[:1], conditions)
    assert dense.shape == (2, 4, 8, 8)
    torch.testing.assert_close(dense, torch.stack(model(given.latents, given.t[:1].repeat(2), conditions)))


@torch.no_grad()
def test_works_in_bfloat16_near_float32_and_answers_in_the_latents_dtype() -> None:
    model = ours(random_oracle(SIGLIP), SIGLIP)
    given = random_inputs(SIGLIP, WITH_VISION["unequal in a batch"])
    expected = velocity(model, given)
    for a, b in zip(velocity(model.bfloat16(), given), expected, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).square().mean().sqrt() < 0.05 * b.std()


def test_a_network_to_train_begins_with_no_velocity() -> None:
    model = OmniTransformer(SIGLIP)
    init_weights(model, torch.Generator().manual_seed(0))
    assert len(model.blocks) == 3 * SIGLIP.n_refiner_layers + SIGLIP.n_layers
    assert model.vision_pad.std().item() == pytest.approx(0.02, rel=0.2)
    for v in velocity(model, random_inputs(SIGLIP, WITH_VISION["1 reference"])):
        assert torch.equal(v, torch.zeros_like(v))


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        (SIGLIP, lambda given: replace(given, segments=[one[:1] for one in given.segments]), "1 references need more"),
        (SIGLIP, lambda given: replace(given, vision=[one * 2 for one in given.vision]), "tells of 2 pictures"),
        (PLAIN, lambda given: given, "no siglip_feat_dim"),
        (SIGLIP, lambda given: replace(given, segments=[[x[:0] for x in one] for one in given.segments]), "no tokens"),
        (SIGLIP, lambda given: replace(given, references=[[x[:, 1:] for x in one] for one in given.references]), "fit"),
        (SIGLIP, lambda given: replace(given, latents=given.latents * 2), "2 latents need as many conditions"),
        (SIGLIP, lambda given: replace(given, t=given.t[:0]), "not 1, 0"),
        (
            SIGLIP,
            lambda given: replace(given, segments=[[one[0].repeat(70, 1), *one[1:]] for one in given.segments]),
            "order axis",
        ),
    ],
    ids=["segments", "vision", "no tower", "empty", "odd reference", "conditions", "times", "too long"],
)
def test_refuses_what_does_not_fit(
    config: SingleStreamConfig, change: Callable[[OmniInputs], OmniInputs], message: str
) -> None:
    given = change(random_inputs(SIGLIP, WITH_VISION["1 reference"]))
    with pytest.raises(InputError, match=message):
        velocity(OmniTransformer(config), given)
