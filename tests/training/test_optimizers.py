import pytest
import torch
from torch import nn

from mezzotint.training.optimizers import AdamW, Muon, is_matrix


def adamw(**changes: object) -> AdamW:
    return AdamW(**({"lr": 1e-2, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1, "rates": {}} | changes))


def test_one_step_is_the_closed_form():
    """First step: the moments' bias corrections cancel, so the move is lr·(g / (|g| + eps) + decay·w)."""
    w, b = torch.tensor([[1.0, -2.0], [3.0, 4.0]]), torch.tensor([1.0, 1.0])
    masters = {"w": w.clone(), "b": b.clone()}
    for master in masters.values():
        master.grad = torch.full_like(master, 0.5)
    (optimizer,) = adamw().build(masters)
    optimizer.step()
    torch.testing.assert_close(masters["w"], w * (1 - 1e-2 * 0.1) - 1e-2)
    torch.testing.assert_close(masters["b"], b - 1e-2)  # no decay on a vector


def test_many_steps_are_torchs_plain_adamw():
    weights = {"w": torch.randn(8, 5), "v": torch.randn(6, 8)}
    ours = {name: weight.clone() for name, weight in weights.items()}
    theirs = [weight.clone() for weight in weights.values()]
    (optimizer,) = adamw().build(ours)
    reference = torch.optim.AdamW(
        theirs, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1, foreach=False, fused=False
    )
    for _ in range(20):
        for mine, their in zip(ours.values(), theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            their.grad = mine.grad.clone()
        optimizer.step()
        reference.step()
    torch.testing.assert_close(list(ours.values()), theirs, rtol=1e-5, atol=1e-6)


def test_rates_multiply_the_learning_rate_of_a_prefix():
    masters = {"text.w": torch.zeros(2, 2), "other.w": torch.zeros(2, 2)}
    for master in masters.values():
        master.grad = torch.ones_like(master)
    (optimizer,) = adamw(rates={"text.": 3.0}).build(masters)
    optimizer.step()
    torch.testing.assert_close(masters["text.w"], 3 * masters["other.w"])
    assert sorted(group["peak_lr"] for group in optimizer.param_groups) == pytest.approx([1e-2, 3e-2])


def test_muon_takes_the_named_matrices_and_leaves_the_rest_to_adamw():
    masters = {"layers.w": torch.randn(6, 4), "layers.norm": torch.ones(4), "embed.w": torch.randn(6, 4)}
    for master in masters.values():
        master.grad = torch.randn_like(master)
    before = {name: master.clone() for name, master in masters.items()}
    config = Muon(rest=adamw(weight_decay=0.0), matrices=("layers.",), momentum=0.95)
    optimizers = config.build(masters)
    owned = [[id(p) for group in o.param_groups for p in group["params"]] for o in optimizers]
    assert owned == [[id(masters["layers.w"])], [id(masters["layers.norm"]), id(masters["embed.w"])]]
    for optimizer in optimizers:
        optimizer.step()
    step = before["layers.w"] - masters["layers.w"]
    singular = torch.linalg.svdvals(step)
    assert singular[-1] / singular[0] > 0.5  # orthogonalised: all directions move about alike


def test_is_matrix():
    assert is_matrix(nn.Linear(3, 2).weight)
    assert is_matrix(nn.Conv2d(3, 2, 3).weight)
    assert not is_matrix(nn.Linear(3, 2).bias)
    assert not is_matrix(torch.zeros(1, 320))  # a pad token
    assert not is_matrix(torch.zeros(320, 1))
