import platform
import subprocess
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


FAULTS = """
import resource
from mezzotint.runtime.memory import keep_freed_blocks
keep_freed_blocks()
for round in range(105):
    if round == 5:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    large, small = bytes([1]) * (1 << 20), bytes([1]) * (1 << 19)
    del large, small
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library decides for itself")
def test_a_freed_block_is_there_for_the_next_one() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 384  # pages that one round takes
