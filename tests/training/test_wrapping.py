import copy

import torch
from torch import nn

from mezzotint.training.wrapping import recompute_activations


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
