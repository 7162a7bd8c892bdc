import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mezzotint.models.attention import attend, ends_of, equal_runs, inverse_rms
from mezzotint.models.attention_kernels import attend_equal

EPS = 1e-5


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_factor_and_its_gradient_are_those_of_rms_norm(scale: float) -> None:
    x, weight = (scale * draw(3, 5, 24)).requires_grad_(), draw(3, 5, 24, seed=1)
    ours, theirs = x * inverse_rms(x, EPS), F.rms_norm(x, (24,), eps=EPS)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    (gradient,), (expected,) = (torch.autograd.grad((weight * y).sum(), x) for y in (ours, theirs))
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5 / scale)


def test_a_token_of_zeros_has_a_finite_factor_and_gradient() -> None:
    x = torch.zeros(1, 8, requires_grad=True)
    factor = inverse_rms(x, EPS)
    (gradient,) = torch.autograd.grad(factor.sum(), x)
    torch.testing.assert_close(factor, torch.tensor([[EPS**-0.5]]))
    assert torch.equal(gradient, torch.zeros(1, 8))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_dtypes_sum_in_float32(dtype: torch.dtype) -> None:
    x = (200 * draw(4, 4096)).to(dtype)  # the sum of squares, 1.6e8, is beyond float16
    factor = inverse_rms(x, EPS)
    assert factor.dtype == dtype
    torch.testing.assert_close(factor, inverse_rms(x.float(), EPS).to(dtype), rtol=2**-7, atol=0)


@pytest.mark.parametrize("groups", [((1, 4),), ((3, 4),), ((1, 3), (2, 5), (1, 8))], ids=str)
def test_packed_sequences_see_themselves_only(groups: tuple[tuple[int, int], ...]) -> None:
    lengths = [length for count, length in groups for _ in range(count)]
    rows = len(lengths) if len(groups) == 1 else 1
    q, k, v = (draw(rows, sum(lengths) // rows, 2, 8, seed=seed) for seed in range(3))
    mixed = attend(q, k, v, groups).flatten(0, 1)
    alone = [attend_equal(*(x[None] for x in part))[0] for part in split(lengths, q, k, v)]
    torch.testing.assert_close(mixed, torch.cat(alone), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("groups", [((3, 4),), ((1, 3), (2, 5), (1, 8))], ids=str)
def test_one_opaque_call_is_the_same(groups: tuple[tuple[int, int], ...]) -> None:
    """In one row of tokens, with the sequences' ends as a tensor."""
    ends = ends_of(groups)
    assert equal_runs(ends.tolist()) == groups
    rows = 3 if len(groups) == 1 else 1
    q, k, v = (draw(rows, int(ends[-1]) // rows, 2, 8, seed=seed) for seed in range(3))
    in_one_row = [x.flatten(0, 1)[None] for x in (q, k, v)]
    assert torch.equal(attend(*in_one_row, ends), attend(q, k, v, groups).flatten(0, 1)[None])


def split(lengths: list[int], *tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """The sequences of packed queries, keys and values."""
    return list(zip(*(x.flatten(0, 1).split(lengths) for x in tensors), strict=True))
