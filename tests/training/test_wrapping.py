import copy

import pytest
import torch
from tests.generation.tiny_model import TRANSFORMER
from torch import nn

from mezzotint.models.single_stream import SingleStreamTransformer, init_weights
from mezzotint.training.wrapping import compile_blocks, recompute_activations


def test_recomputing_changes_neither_names_nor_values_nor_gradients():
    plain = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.SiLU()) for _ in range(3)))
    wrapped = copy.deepcopy(plain)
    recompute_activations(wrapped)
    assert plain.state_dict().keys() == wrapped.state_dict().keys()
    x = torch.randn(5, 4)
    runs = 0

    def count(*_: object) -> None:
        nonlocal runs
        runs += 1

    wrapped[0][0].register_forward_hook(count)
    for network in (plain, wrapped):
        network(x).square().sum().backward()
    assert runs == 2  # once forward, once again for the backward pass
    for one, other in zip(plain.parameters(), wrapped.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler warns of itself
def test_compiled_blocks_have_the_same_gradients_whatever_the_lengths():
    plain = SingleStreamTransformer(TRANSFORMER)
    init_weights(plain, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape))  # or blocks would be the identity, without gradients
    compiled = copy.deepcopy(plain)
    compile_blocks(compiled.blocks)
    assert plain.state_dict().keys() == compiled.state_dict().keys()
    for size, lengths in ((8, (5, 5, 40)), (12, (3, 70)), (8, (33, 1))):
        latents = torch.randn(len(lengths), plain.config.in_channels, size, size)
        captions = [torch.randn(length, plain.config.cap_feat_dim) for length in lengths]
        times = torch.rand(len(lengths))
        for network in (plain, compiled):
            network.zero_grad()
            network(latents, times, network.refine_captions(captions)).square().sum().backward()
        for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
            torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-4 * one.grad.abs().max().item())
