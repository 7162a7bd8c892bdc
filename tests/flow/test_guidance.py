import pytest
import torch
from einops import rearrange
from torch import Tensor

from mezzotint.flow.guidance import ClassifierFree, Condition, TrueGuidance, limit_norm, match_norm

POSITIVE, NEGATIVE = torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 1.0]])
CONDITION = Condition(positive=POSITIVE, both=torch.cat([POSITIVE, NEGATIVE]))


class Counting:
    """A network that answers with its condition and counts the rows it was asked for."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        self.rows += len(x)
        assert (len(x), len(t)) == (len(condition), 1)
        return condition.clone()


def test_no_guidance_runs_one_branch() -> None:
    network = Counting()
    v = ClassifierFree(g=0.0).bind(network, CONDITION)(torch.zeros(1, 2), 0.3)
    assert torch.equal(v, POSITIVE)
    assert network.rows == 1


def test_the_two_conventions_differ_by_one() -> None:
    v = ClassifierFree(g=4.0).bind(Counting(), CONDITION)(torch.zeros(1, 2), 0.3)
    imagen = NEGATIVE + 5.0 * (POSITIVE - NEGATIVE)
    torch.testing.assert_close(v, imagen)


def test_truncation_stops_guidance_after_its_time() -> None:
    network = Counting()
    denoise = ClassifierFree(g=4.0, truncation=0.5).bind(network, CONDITION)
    assert not torch.equal(denoise(torch.zeros(1, 2), 0.5), POSITIVE)
    assert torch.equal(denoise(torch.zeros(1, 2), 0.51), POSITIVE)
    assert network.rows == 3


def test_norm_limit_shrinks_and_never_grows() -> None:
    v, reference = torch.tensor([[30.0, 40.0], [0.3, 0.4]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    limited = limit_norm(v, reference, 2.0)
    torch.testing.assert_close(limited, torch.tensor([[1.2, 1.6], [0.3, 0.4]]))


@pytest.mark.parametrize("w", [0.0, 1.0])
def test_true_guidance_of_one_and_below_runs_one_branch(w: float) -> None:
    network = Counting()
    v = TrueGuidance(w=w, patch=1).bind(network, CONDITION)(torch.zeros(1, 2), 0.3)
    assert torch.equal(v, POSITIVE)
    assert network.rows == 1


def test_true_guidance_keeps_the_norm_of_each_patch() -> None:
    positive, negative = torch.randn(2, 3, 5, 4, 6, generator=torch.Generator().manual_seed(0)).unbind(0)
    condition = Condition(positive=positive, both=torch.cat([positive, negative]))
    v = TrueGuidance(w=4.0, patch=2).bind(Counting(), condition)(torch.zeros(3, 5, 4, 6), 0.3)

    def patches(x: Tensor) -> Tensor:
        return rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=2, q=2)

    guided = patches(negative + 4.0 * (positive - negative))
    torch.testing.assert_close(patches(v).norm(dim=-1), patches(positive).norm(dim=-1))
    torch.testing.assert_close(torch.cosine_similarity(patches(v), guided, dim=-1), torch.ones(3, 6))


def test_a_patch_without_a_direction_stays_zero() -> None:
    assert not match_norm(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2), 2).any()
