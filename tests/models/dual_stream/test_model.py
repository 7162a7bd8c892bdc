from collections.abc import Callable

import pytest
import torch
from tests.models.dual_stream.oracle import Size, oracle_velocity, ours, random_inputs, random_oracle, small_config
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.models.dual_stream import DualStreamConfig, DualStreamTransformer, to_published

PLAIN = small_config()
CLEAN = small_config(zero_cond_t=True)  # as the newer Edit releases
WIDE = small_config(heads=3, axes=(8, 12, 12))

Batch = tuple[list[Size], list[int], list[list[Size]]]
BATCHES: dict[str, Batch] = {
    "one": ([(12, 12)], [9], []),
    "equal captions": ([(12, 12)] * 3, [9] * 3, []),
    "unequal captions": ([(12, 12)] * 4, [9, 31, 1, 9], []),
    "not square": ([(8, 20)] * 2, [5, 12], []),
    "odd numbers of patches": ([(10, 14)], [12], []),
    "one reference": ([(12, 12)] * 2, [9, 9], [[(12, 12)]] * 2),
    "one reference, unequal captions": ([(12, 8)] * 3, [9, 4, 17], [[(12, 8)]] * 3),
    "a larger reference": ([(8, 8)] * 2, [9, 4], [[(6, 20)]] * 2),
    "two references": ([(12, 12)] * 2, [20, 9], [[(12, 8), (4, 16)]] * 2),
}


CASES = {
    **{name: (PLAIN, name) for name in BATCHES},
    **{f"{name}, zero_cond_t": (CLEAN, name) for name in BATCHES if "reference" in name or name == "unequal captions"},
    "three heads of 32": (WIDE, "unequal captions"),
}


@pytest.mark.parametrize(("config", "batch"), CASES.values(), ids=CASES.keys())
def test_velocity_and_gradients_are_the_published_networks(config: DualStreamConfig, batch: str) -> None:
    oracle = random_oracle(config)
    model = ours(oracle, config)
    latents, t, features, references = random_inputs(config, *BATCHES[batch])
    expected = oracle_velocity(oracle, latents, t, features, references)
    actual = model(latents, t, model.embed_captions(features), references)
    for a, b in zip(actual, expected, strict=True):
        assert 0.3 < b.std() < 3.0
        torch.testing.assert_close(a, b, atol=2e-5, rtol=0)

    weights = [torch.randn(v.shape, generator=torch.Generator().manual_seed(1)) for v in expected]
    for velocities in (actual, expected):
        sum((w * v).sum() for w, v in zip(weights, velocities, strict=True)).backward()  # type: ignore[union-attr]
    gradients = to_published(with_gradients(model), config)
    for name, parameter in oracle.named_parameters():
        reference = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        limit = 1e-4 * reference.abs().max().item()
        assert (gradients[name] - reference).abs().max().item() <= limit, name


def with_gradients(model: DualStreamTransformer) -> dict[str, Tensor]:
    """The gradients by our names; the last block's text, which nothing reads, has none."""
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in model.named_parameters()
    }


@pytest.mark.parametrize("config", [PLAIN, CLEAN], ids=["plain", "zero_cond_t"])
def test_a_picture_is_the_same_alone_and_in_any_company(config: DualStreamConfig) -> None:
    oracle = random_oracle(config)
    model = ours(oracle, config)
    sizes, others = [(12, 12), (8, 16), (12, 12), (8, 8)], [[], [(8, 8)], [(4, 4), (6, 10)], [(4, 32)]]
    latents, t, features, references = random_inputs(config, sizes, [9, 5, 14, 9], others)
    together = model(latents, t, model.embed_captions(features), references)
    for i in range(4):
        (alone,) = oracle_velocity(oracle, [latents[i]], t[i : i + 1], [features[i]], [references[i]])
        torch.testing.assert_close(together[i], alone, atol=2e-5, rtol=0)


def test_clean_references_do_not_know_the_time_and_others_do() -> None:
    latents, t, features, references = random_inputs(PLAIN, [(8, 8)], [5], [[(8, 8)]])
    oracle = random_oracle(PLAIN)
    plain, clean = (ours(oracle, config) for config in (PLAIN, CLEAN))
    captions = plain.embed_captions(features)
    at_once = plain(latents, t, captions, references)[0]
    assert (clean(latents, t, captions, references)[0] - at_once).abs().max() > 0.01
    torch.testing.assert_close(clean(latents, t, captions), plain(latents, t, captions))
    ones = torch.ones(1)  # a clean picture and its clean references are told the same time
    torch.testing.assert_close(
        clean(latents, ones, captions, references), plain(latents, ones, captions, references), atol=1e-5, rtol=0
    )


def test_a_tensor_and_a_list_of_latents_give_the_same() -> None:
    model = ours(random_oracle(CLEAN), CLEAN)
    latents, t, features, references = random_inputs(CLEAN, [(8, 12)] * 3, [5, 9, 5], [[(4, 4)], [], [(8, 4)]])
    captions = model.embed_captions(features)
    dense = model(torch.stack(latents), t, captions, references)
    assert dense.shape == (3, 4, 8, 12)
    torch.testing.assert_close(dense, torch.stack(model(latents, t, captions, references)))


@pytest.mark.parametrize("config", [PLAIN, CLEAN], ids=["plain", "zero_cond_t"])
@pytest.mark.parametrize("sizes", [[(8, 8)] * 2, [(8, 8), (4, 8)]], ids=["alike", "unalike"])
def test_one_time_serves_all(config: DualStreamConfig, sizes: list[Size]) -> None:
    model = ours(random_oracle(config), config)
    latents, t, features, references = random_inputs(config, sizes, [5, 5], [[(4, 4)]] * 2)
    captions = model.embed_captions(features)
    shared = model(latents, t[:1], captions, references)
    for a, b in zip(shared, model(latents, t[:1].repeat(2), captions, references), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_captions_can_be_chosen_and_joined() -> None:
    model = ours(random_oracle(PLAIN), PLAIN)
    _, _, features, _ = random_inputs(PLAIN, [(8, 8)] * 3, [5, 9, 2])
    captions = model.embed_captions(features)
    chosen = captions.select([2, 0, 2])
    assert (len(chosen), chosen.lengths) == (3, (2, 5, 2))
    torch.testing.assert_close(chosen.tokens, model.embed_captions([features[i] for i in (2, 0, 2)]).tokens)


def test_works_in_bfloat16_as_the_published_network_does() -> None:
    oracle = random_oracle(CLEAN)
    model = ours(oracle, CLEAN)
    latents, t, features, references = random_inputs(CLEAN, [(12, 12)] * 2, [9, 9], [[(8, 12)]] * 2)
    rounded = [[x.bfloat16() for x in tensors] for tensors in (latents, features, *references)]
    with torch.inference_mode():
        # σ is rounded too, which moves the velocity far more than all other roundings: they must agree on it.
        model.bfloat16()
        actual = model(torch.stack(latents), t, model.embed_captions(features), references)
        theirs = torch.stack(oracle_velocity(oracle.bfloat16(), rounded[0], t, rounded[1], rounded[2:]))
        exact = torch.stack(
            oracle_velocity(oracle.float(), latents, 1 - (1 - t).bfloat16().float(), features, references)
        )
    assert actual.dtype == torch.float32

    def distance(velocity: Tensor) -> float:
        return (velocity.float() - theirs.float()).square().mean().sqrt().item()

    assert distance(actual) < 0.02
    assert distance(exact) < 0.02


@pytest.mark.parametrize(
    "change",
    [
        lambda latents, t, captions, references: (latents[:, :, :7], t, captions, references),
        lambda latents, t, captions, references: (latents[:, :3], t, captions, references),
        lambda latents, t, captions, references: (latents, t[:0], captions, references),
        lambda latents, t, captions, references: (latents, t, captions.select([0]), references),
        lambda latents, t, captions, references: (latents, t, captions, references[:1]),
        lambda latents, t, captions, references: (latents, t, captions, [[x[0][:, :3]] for x in references]),
    ],
    ids=["odd height", "channels", "times", "captions", "references", "an odd reference"],
)
def test_refuses_what_does_not_fit(change: Callable[..., tuple[object, ...]]) -> None:
    model = DualStreamTransformer(PLAIN)
    latents, t, features, references = random_inputs(PLAIN, [(8, 8)] * 2, [5, 5], [[(4, 4)]] * 2)
    with pytest.raises(InputError):
        model(*change(torch.stack(latents), t, model.embed_captions(features), references))
