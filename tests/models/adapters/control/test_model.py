from dataclasses import replace

import pytest
import torch
from tests import parity
from tests.models.adapters.control.oracle import RELEASES, control_config, oracle_velocity, ours, random_control
from tests.models.single_stream.oracle import ours as our_network
from tests.models.single_stream.oracle import random_inputs, random_oracle, small_config

from mezzotint.errors import InputError
from mezzotint.models.adapters.control import ControlNet

NETWORK = replace(small_config(), n_layers=4)
BATCHES = {
    "equal": ((16, 16), [31, 2, 32]),
    "unequal captions": ((16, 16), [33, 31, 70]),
    "a picture with pads": ((10, 6), [5, 40]),
}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(("size", "lengths"), BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("scale", [0.75, 1.0])
@torch.no_grad()
def test_velocity_is_diffusers(release: str, size: tuple[int, int], lengths: list[int], scale: float) -> None:
    oracle = random_oracle(NETWORK)
    config = control_config(release, NETWORK)
    theirs = random_control(config, seed=1)
    network, control = our_network(oracle, NETWORK), ours(theirs, config, NETWORK)
    latents, t, features = random_inputs(NETWORK, [size] * len(lengths), lengths)
    context = torch.randn(len(lengths), config.in_channels, *size, generator=torch.Generator().manual_seed(2))
    expected = torch.stack(oracle_velocity(oracle, theirs, latents, t, features, list(context), scale))
    captions, x = network.refine_captions(features), torch.stack(latents)
    led = network(x, t, captions, control(network, x, t, captions, context, scale))
    assert 0.3 < expected.std() < 3.0
    assert (expected - network(x, t, captions)).abs().max() > 0.3
    velocity = (led - expected).abs().max().item()
    assert velocity <= parity.VELOCITY
    parity.record(f"ControlNet {release}, the networks", velocity=velocity)


@torch.no_grad()
def test_a_scale_of_zero_leads_nowhere() -> None:
    network = our_network(random_oracle(NETWORK), NETWORK)
    config = control_config("2.1", NETWORK)
    control = ours(random_control(config), config, NETWORK)
    latents, t, features = random_inputs(NETWORK, [(8, 8)], [5])
    x, captions, context = torch.stack(latents), network.refine_captions(features), torch.randn(1, 9, 8, 8)
    hints = control(network, x, t, captions, context, 0.0)
    torch.testing.assert_close(network(x, t, captions, hints), network(x, t, captions))


def test_another_size_is_refused() -> None:
    network = our_network(random_oracle(NETWORK), NETWORK)
    control = ControlNet(control_config("1.0", NETWORK), NETWORK)
    latents, t, features = random_inputs(NETWORK, [(8, 8)], [5])
    captions = network.refine_captions(features)
    with pytest.raises(InputError, match=r"the control's latents are \(4, 8, 6\); they must be \(4, 8, 8\)"):
        control(network, torch.stack(latents), t, captions, torch.zeros(1, 4, 8, 6), 1.0)
