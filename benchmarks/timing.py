"""Fair timing of rivals: they take turns, so a slow minute of the machine hits all of them."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch

Rivals = Mapping[str, Callable[[], object]]


def compare(rivals: Rivals, *, rounds: int, at_least: float) -> dict[str, float]:
    """Seconds of one call of each rival: the median over rounds, in each of which every one runs `at_least` seconds.

    The first calls of each do not count: they compile, allocate and fill caches.
    """
    repeats = {name: _repeats(call, at_least) for name, call in rivals.items()}
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, call in rivals.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            seconds[name].append((time.perf_counter() - start) / repeats[name])
    return {name: median(values) for name, values in seconds.items()}


def _repeats(call: Callable[[], object], at_least: float) -> int:
    call(), call()
    start = time.perf_counter()
    call()
    return max(1, round(at_least / (time.perf_counter() - start)))


def machine() -> str:
    """One line: processor, threads, accelerator, versions, commit."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "diffusers"))
    processor = names[0] if names else platform.processor()
    accelerator = f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""
    return (
        f"{accelerator}{processor}, {torch.get_num_threads()} threads of {os.cpu_count()}; "
        f"Python {platform.python_version()}, {versions}; commit {_commit()}"
    )


def _commit() -> str:
    if shutil.which("git") is None:
        return "unknown"
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return asked.stdout.strip() or "unknown"


def matrix_rate(dtype: torch.dtype, side: int = 2048, device: torch.device | str = "cpu") -> float:
    """FLOP/s of one large square product: what this machine can do at best."""
    a, b = (torch.randn(side, side, dtype=dtype, device=device) for _ in range(2))

    def product() -> None:
        a @ b
        if a.is_cuda:
            torch.cuda.synchronize(a.device)

    return 2 * side**3 / compare({"product": product}, rounds=5, at_least=0.2)["product"]
