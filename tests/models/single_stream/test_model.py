from collections.abc import Callable

import pytest
import torch
from tests.models.single_stream.oracle import oracle_velocity, ours, random_inputs, random_oracle, small_config
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.models.single_stream import (
    Captions,
    SingleStreamConfig,
    SingleStreamTransformer,
    init_weights,
    to_published,
)

NARROW = small_config()  # 96: the time embedding is as narrow
WIDE = small_config(3, (32, 32, 32))  # 288: the time embedding stays at 256
BATCHES = {
    "one caption of 31": ([(16, 16)], [31]),
    "one caption of 32": ([(16, 16)], [32]),
    "one caption of 33": ([(16, 16)], [33]),
    "a picture with pads": ([(10, 6)], [5]),
    "equal after padding": ([(16, 16)] * 3, [31, 2, 32]),
    "unequal captions": ([(16, 16)] * 4, [33, 31, 70, 40]),
    "unequal sizes": ([(16, 16), (8, 12), (24, 16), (12, 8)], [32] * 4),
    "all unequal": ([(16, 16), (8, 16), (10, 10), (2, 2)], [31, 96, 33, 1]),
}


@pytest.mark.parametrize("config", [NARROW, WIDE], ids=lambda config: f"dim{config.dim}")
@pytest.mark.parametrize(("sizes", "captions"), BATCHES.values(), ids=BATCHES.keys())
def test_velocity_and_gradients_are_the_published_networks(
    config: SingleStreamConfig, sizes: list[tuple[int, int]], captions: list[int]
) -> None:
    oracle = random_oracle(config)
    model = ours(oracle, config)
    latents, t, features = random_inputs(config, sizes, captions)
    expected = oracle_velocity(oracle, latents, t, features)
    actual = model(latents, t, model.refine_captions(features))
    for a, b in zip(actual, expected, strict=True):
        assert 0.3 < b.std() < 3.0
        torch.testing.assert_close(a, b, atol=2e-5, rtol=0)

    weights = [torch.randn_like(v) for v in expected]
    for velocities in (actual, expected):
        sum((w * v).sum() for w, v in zip(weights, velocities, strict=True)).backward()  # type: ignore[union-attr]
    gradients = to_published(with_gradients(model), config)
    for name, parameter in oracle.named_parameters():
        reference = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        limit = 1e-4 * reference.abs().max().item()
        assert (gradients[name] - reference).abs().max().item() <= limit, name


def with_gradients(model: SingleStreamTransformer) -> dict[str, Tensor]:
    """The gradients by our names; those of unused pad tokens are zero."""
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in model.named_parameters()
    }


def test_a_tensor_and_a_list_of_latents_give_the_same() -> None:
    model = ours(random_oracle(NARROW), NARROW)
    latents, t, features = random_inputs(NARROW, [(16, 16)] * 3, [31, 40, 3])
    captions = model.refine_captions(features)
    dense = model(torch.stack(latents), t, captions)
    assert dense.shape == (3, 4, 16, 16)
    torch.testing.assert_close(dense, torch.stack(model(latents, t, captions)))


def test_one_time_serves_all() -> None:
    model = ours(random_oracle(NARROW), NARROW)
    for sizes in ([(16, 16)] * 2, [(16, 16), (8, 8)]):
        latents, t, features = random_inputs(NARROW, sizes, [31, 40])
        captions = model.refine_captions(features)
        shared, repeated = model(latents, t[:1], captions), model(latents, t[:1].repeat(2), captions)
        for a, b in zip(shared, repeated, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_captions_can_be_chosen_and_joined() -> None:
    model = ours(random_oracle(NARROW), NARROW)
    _, _, features = random_inputs(NARROW, [(8, 8)] * 3, [31, 40, 3])
    captions = model.refine_captions(features)
    assert len(captions) == 3
    assert captions.lengths == (32, 64, 32)
    chosen = captions.select([2, 1, 2])
    again = Captions.concat([model.refine_captions([features[i]]) for i in (2, 1, 2)])
    assert chosen.lengths == again.lengths == (32, 64, 32)
    torch.testing.assert_close(chosen.tokens, again.tokens, atol=1e-5, rtol=0)


def test_a_picture_is_the_same_alone_and_in_any_company() -> None:
    model = ours(random_oracle(NARROW), NARROW)
    latents, t, features = random_inputs(NARROW, [(16, 16), (8, 16), (16, 16)], [31, 50, 64])
    together = model(latents, t, model.refine_captions(features))
    for i in range(3):
        (alone,) = model([latents[i]], t[i : i + 1], model.refine_captions([features[i]]))
        torch.testing.assert_close(together[i], alone, atol=1e-5, rtol=0)


def test_works_in_bfloat16_near_float32_and_answers_in_the_latents_dtype() -> None:
    model = ours(random_oracle(NARROW), NARROW)
    latents, t, features = random_inputs(NARROW, [(16, 16), (8, 8)], [31, 40])
    with torch.inference_mode():
        expected = model(latents, t, model.refine_captions(features))
        model.to(torch.bfloat16)
        actual = model(latents, t, model.refine_captions(features))
    for a, b in zip(actual, expected, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).square().mean().sqrt() < 0.05 * b.std()


def test_a_network_to_train_begins_with_no_velocity_and_learns_one_batch() -> None:
    model = SingleStreamTransformer(NARROW)
    init_weights(model, torch.Generator().manual_seed(0))
    latents, t, features = random_inputs(NARROW, [(8, 8)] * 2, [5, 9])
    target = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)

    def loss() -> Tensor:
        return (model(torch.stack(latents), t, model.refine_captions(features)) - target).square().mean()

    assert loss().item() == pytest.approx(target.square().mean().item())
    for _ in range(60):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < 0.02


def test_initial_weights_depend_on_the_seed_only() -> None:
    models = [SingleStreamTransformer(NARROW) for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        init_weights(model, torch.Generator().manual_seed(seed))
    first, second, other = (model.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["layers.0.attention.qkv.weight"], other["layers.0.attention.qkv.weight"])
    assert first["layers.0.attention.qkv.weight"].std().item() == pytest.approx(NARROW.dim**-0.5, rel=0.05)


@pytest.mark.parametrize(
    "change",
    [
        lambda latents, t, captions: (latents[:, :, :15], t, captions),
        lambda latents, t, captions: (latents[:, :3], t, captions),
        lambda latents, t, captions: (list(latents), t[:0], captions),
        lambda latents, t, captions: (latents, t, captions.select([0])),
    ],
    ids=["odd height", "channels", "times", "captions"],
)
def test_refuses_what_does_not_fit(
    change: Callable[[Tensor, Tensor, Captions], tuple[Tensor | list[Tensor], Tensor, Captions]],
) -> None:
    model = SingleStreamTransformer(NARROW)
    latents, t, features = random_inputs(NARROW, [(16, 16)] * 2, [5, 5])
    with pytest.raises(InputError):
        model(*change(torch.stack(latents), t, model.refine_captions(features)))
