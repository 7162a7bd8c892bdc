import pytest
import torch

from mezzotint.training.muon import Muon, orthogonalize


def test_takes_torchs_steps_on_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(12, 20, generator=generator.manual_seed(1)).requires_grad_() for _ in range(2))
    muon = Muon([ours], lr=0.01, momentum=0.95, weight_decay=0.1)
    oracle = torch.optim.Muon([theirs], lr=0.01, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        ours.grad = torch.randn(12, 20, generator=generator)
        theirs.grad = ours.grad.clone()
        muon.step()
        oracle.step()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_a_convolution_is_the_matrix_of_outputs_by_all_else() -> None:
    generator = torch.Generator().manual_seed(0)
    convolution = torch.randn(6, 4, 3, 3, generator=generator).requires_grad_()
    matrix = convolution.detach().reshape(6, 36).clone().requires_grad_()
    convolution.grad = torch.randn(6, 4, 3, 3, generator=generator)
    matrix.grad = convolution.grad.reshape(6, 36).clone()
    Muon([convolution, matrix], lr=0.1, momentum=0.9, weight_decay=0.0).step()
    torch.testing.assert_close(convolution.reshape(6, 36), matrix, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(8, 30), (30, 8)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * torch.logspace(-1, 1, shape[1])
    values = torch.linalg.svdvals(orthogonalize(matrix).float())
    assert values.min() > 0.5
    assert values.max() < 1.5
