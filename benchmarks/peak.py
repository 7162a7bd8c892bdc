"""The most memory that a call takes."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_during(call: Callable[[], object], device: torch.device) -> int:
    """Bytes beyond those in use before: of the device, or for a processor of this process (Linux)."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    CLEAR.write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    call()
    return max(0, _status("VmHWM") - before)


def _status(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def weight_bytes(network: nn.Module) -> int:
    """What the weights take."""
    return sum(tensor.nbytes for tensor in (*network.parameters(), *network.buffers()))
