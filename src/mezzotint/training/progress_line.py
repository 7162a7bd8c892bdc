"""The trainer's line on stderr: where it is, how well, how fast, how long still."""

import sys
import time
from datetime import timedelta

REFRESH = {True: 1.0, False: 20.0}  # seconds between lines: in a terminal (rewritten in place), elsewhere


class ProgressLine:
    """Rates are over the time since the last line, validation and saving left out."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._terminal = sys.stderr.isatty()
        self._seconds = self._flops = 0.0
        self._samples = self._steps = 0
        self._last = -float("inf")

    def add(self, *, samples: int, seconds: float, flops: float) -> None:
        """One more step: its samples, its time, its floating-point operations (0 when not counted)."""
        self._steps += 1
        self._samples += samples
        self._seconds += seconds
        self._flops += flops

    @property
    def due(self) -> bool:
        return time.monotonic() - self._last >= REFRESH[self._terminal]

    def show(self, step: int, loss: float) -> None:
        self._last = time.monotonic()
        seconds = max(self._seconds, 1e-9)
        parts = [f"step {step}/{self.total}", f"loss {loss:.4f}", f"{self._samples / seconds:.1f} samples/s"]
        if self._flops:
            parts.append(f"{scaled(self._flops / seconds)}FLOP/s")
        left = (self.total - step) * seconds / max(self._steps, 1)
        self.say("  ".join([*parts, f"{timedelta(seconds=round(left))} left"]), end="" if self._terminal else "\n")
        self._seconds = self._flops = 0.0
        self._samples = self._steps = 0

    def say(self, text: str, end: str = "\n") -> None:
        start = "\r\x1b[K" if self._terminal else ""
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)


def scaled(number: float) -> str:
    """`1.5e12` as `1.5 T`."""
    for prefix in ("", "k", "M", "G", "T"):
        if number < 1000:
            return f"{number:.3g} {prefix}"
        number /= 1000
    return f"{number:.3g} P"
