import os
from collections import deque

import pytest

from mezzotint.curation.engine import distribute
from mezzotint.curation.stage import CPU, Resources
from mezzotint.errors import OutputError


def square(number: int) -> tuple[int, int]:
    if number == 13:
        raise OutputError("cannot write 13: No space left on device")
    return number * number, os.getpid()


def broken(number: int) -> int:
    return number // 0


def test_every_item_comes_back_once_from_other_processes() -> None:
    results = list(distribute(square, range(9), workers=2, resources=CPU))
    assert sorted(number for number, _ in results) == [n * n for n in range(9)]
    assert os.getpid() not in {process for _, process in results}


def test_nothing_to_do_starts_nothing() -> None:
    assert list(distribute(square, [], workers=2, resources=CPU)) == []


def test_a_gpu_is_a_hint_and_no_demand() -> None:
    assert [number for number, _ in distribute(square, [3], workers=1, resources=Resources(gpus=1))] == [9]


def test_what_a_user_can_cause_is_raised_as_it_was() -> None:
    with pytest.raises(OutputError, match="cannot write 13: No space left on device"):
        list(distribute(square, [13, *range(9)], workers=1, resources=CPU))


def test_after_a_failure_nothing_more_is_done() -> None:
    done: list[tuple[int, int]] = []
    with pytest.raises(OutputError):
        deque(map(done.append, distribute(square, [1, 13, 2, 3], workers=1, resources=CPU)))
    assert [number for number, _ in done] == [1]


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(Exception, match="ZeroDivisionError"):
        list(distribute(broken, [1], workers=1, resources=CPU))


def test_nobody_is_told_anything() -> None:
    assert os.environ["DAFT_ANALYTICS_ENABLED"] == "0"
    assert os.environ["DO_NOT_TRACK"] == "true"
