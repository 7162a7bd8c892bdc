from unittest.mock import MagicMock

import pytest
import torch

from mezzotint.errors import InputError
from mezzotint.runtime.distributed import least, process_device, process_group, shares


@pytest.mark.parametrize(("total", "size"), [(0, 2), (1, 2), (7, 3), (9, 3), (4160, 7)])
def test_shares_are_all_and_as_equal_as_can_be(total: int, size: int) -> None:
    parts = shares(total, size)
    assert (len(parts), sum(parts)) == (size, total)
    assert max(parts) - min(parts) <= 1
    assert parts == sorted(parts, reverse=True)


def test_the_least_of_all_is_the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def gather(values: list[int], value: int, group: object) -> None:
        values[:] = [value, 3, 12]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    group = MagicMock()
    group.size.return_value = 3
    assert [least(value, group) for value in (2, 7)] == [2, 3]


def test_a_process_alone_is_told_how_to_start_several(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="torchrun"), process_group(torch.device("cpu")):
        pass
    monkeypatch.setenv("RANK", "0")  # as other starters do, which say no more
    with pytest.raises(InputError, match="torchrun"), process_group(torch.device("cpu")):
        pass
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(InputError, match="torchrun"):
        process_device(None)


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert process_device(None) == "cuda:3"
    assert process_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert process_device(None) is None
