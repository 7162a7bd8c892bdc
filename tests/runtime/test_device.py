import pytest
import torch

from mezzotint.errors import InputError
from mezzotint.runtime.device import check_compiler, resolve_device, resolve_dtype

CPU = torch.device("cpu")


def test_the_processor_is_always_there() -> None:
    assert resolve_device("cpu") == CPU
    assert resolve_device() in (CPU, torch.device("cuda"), torch.device("mps"))


@pytest.mark.parametrize("name", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}' cannot be used .*; cpu always can"):
        resolve_device(name)


def test_a_named_dtype_is_taken_and_an_unknown_one_refused() -> None:
    assert resolve_dtype("float16", CPU) == torch.float16
    assert resolve_dtype(None, CPU) in (torch.float32, torch.bfloat16)
    with pytest.raises(InputError, match="float32, bfloat16, float16"):
        resolve_dtype("float64", CPU)


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match="no-such-compiler"):
        check_compiler(CPU)
    check_compiler(torch.device("meta"))
