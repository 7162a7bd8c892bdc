import sys
from pathlib import Path

import pytest
import torch

from mezzotint.runtime.memory import large_blocks_given_back

TENSOR = 24 << 20  # bytes: glibc would keep such a block


def anonymous_bytes() -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's account of memory")
def test_what_large_tensors_leave_goes_back() -> None:
    kept = []
    with large_blocks_given_back():
        before = anonymous_bytes()
        for _ in range(20):
            large = torch.ones(TENSOR, dtype=torch.uint8)
            kept.append(torch.ones(64))  # small ones that stay between them
            del large
        assert anonymous_bytes() - before < TENSOR


def test_an_error_inside_comes_out() -> None:
    with pytest.raises(ValueError, match="inside"), large_blocks_given_back():
        raise ValueError("inside")
