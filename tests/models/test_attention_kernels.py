import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mezzotint.models import attention_kernels
from mezzotint.models.attention_kernels import (
    SHORT,
    attend_equal,
    chosen,
    class_of,
    fastest,
    fused,
    installed_kernels,
    measure,
    plain,
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("length", [7, SHORT, SHORT + 1])
def test_equal_sequences_attend_as_pytorch_does(length: int) -> None:
    q, k, v = (draw(2, length, 2, 8, seed=seed) for seed in range(3))
    expected = F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (q, k, v))).transpose(1, 2)
    torch.testing.assert_close(attend_equal(q, k, v), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["plain", "math", "flash"])
def test_kernels_agree(name: str) -> None:
    """Those of them that run on a processor."""
    q, k, v = (draw(2, 33, 2, 16, seed=seed) for seed in range(3))
    torch.testing.assert_close(installed_kernels()[name](q, k, v), fused(q, k, v), rtol=1e-5, atol=1e-6)


def test_kernels_that_cannot_run_are_left_out() -> None:
    q, k, v = (draw(1, 32, 2, 16, seed=seed) for seed in range(3))
    took = measure(installed_kernels(), q, k, v)
    assert {"plain", "math", "flash"} <= took.keys()
    assert "cudnn" not in took  # on a processor
    assert all(seconds > 0 for seconds in took.values())


def test_the_fastest_is_measured_once_for_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_kernels, "_fastest", {})
    asked: list[int] = []

    def slow(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        asked.append(q.shape[1])
        for _ in range(50):
            plain(q, k, v)
        return plain(q, k, v)

    monkeypatch.setattr(attention_kernels, "installed_kernels", lambda: {"slow": slow, "plain": plain})
    for length in (33, 64, 40):  # all of one class
        x = draw(1, length, 2, 16)
        assert fastest(x, x, x) is plain
    assert set(asked) == {33}
    assert list(chosen().values()) == ["plain"]


def test_classes_tell_apart_what_matters() -> None:
    x = draw(2, 40, 2, 16)
    assert class_of(x) == class_of(draw(2, 64, 2, 16))
    for other in (draw(2, 65, 2, 16), draw(3, 40, 2, 16), draw(2, 40, 3, 16), draw(2, 40, 2, 8), x.bfloat16()):
        assert class_of(other) != class_of(x)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_an_accelerator_gets_a_measured_kernel_that_is_right(dtype: torch.dtype) -> None:
    q, k, v = (draw(1, 4160, 4, 128, seed=seed).to("cuda", dtype) for seed in range(3))
    with torch.inference_mode():
        mixed = attend_equal(q, k, v)
    assert class_of(q) in chosen()
    expected = plain(*(x.float() for x in (q, k, v)))
    torch.testing.assert_close(mixed.float(), expected, rtol=2e-2, atol=2e-2)
