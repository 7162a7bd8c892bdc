"""Ctrl-C and SIGTERM as a wish: the step in hand is finished and saved first."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def polite_stop() -> Iterator[Callable[[], bool]]:
    """Yields a question: has a stop been asked for? A second Ctrl-C interrupts at once.

    Only the main thread can install it, as Python's signal handlers demand.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
