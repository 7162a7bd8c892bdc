"""Ctrl-C and SIGTERM as a wish: the step in hand is finished and saved first."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SAME_WISH = 2.0  # seconds in which a second Ctrl-C is the first once more, passed on by a launcher


@contextmanager
def polite_stop() -> Iterator[Callable[[], bool]]:
    """Yields a question: has a stop been asked for? A second Ctrl-C, `SAME_WISH` or more later, interrupts at once.

    Only the main thread can install it, as Python's signal handlers demand.
    """
    asked_at: float | None = None

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked_at
        now = time.monotonic()
        if asked_at is None:
            asked_at = now
        elif number == signal.SIGINT and now - asked_at >= SAME_WISH:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked_at is not None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
