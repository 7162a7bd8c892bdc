"""What several processes do together is in tests/generation/test_parallel.py."""

from dataclasses import dataclass
from typing import Any

import pytest

from mezzotint.errors import InputError
from mezzotint.models.sequence_parallel import check_heads


@dataclass
class Group:
    """So many processes."""

    processes: int

    def size(self) -> int:
        return self.processes


@pytest.mark.parametrize(("heads", "processes"), [(30, 1), (30, 6), (24, 8)])
def test_heads_that_divide(heads: int, processes: int) -> None:
    group: Any = Group(processes)
    check_heads(heads, group)


def test_heads_that_do_not_divide_are_refused_with_what_would() -> None:
    group: Any = Group(4)
    with pytest.raises(InputError, match=r"30 attention heads .* 4 processes; 2, 3, 5, 6, 10, 15, 30 would do"):
        check_heads(30, group)
