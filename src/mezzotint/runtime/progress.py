"""Progress on stderr, with speed and time left: a bar in a terminal, a line every ten seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_LINE_EVERY = 10.0  # seconds


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with the number of items just done."""
    if sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(description, total=total)
            yield lambda done: bar.advance(task, done)
    else:
        yield _Lines(description, total)


def _bar() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f}/s")


class _Lines:
    def __init__(self, description: str, total: int) -> None:
        self.description, self.total = description, total
        self.done = 0
        self.start = self.last = time.monotonic()

    def __call__(self, done: int) -> None:
        self.done += done
        now = time.monotonic()
        if now - self.last >= _LINE_EVERY:
            self.last = now
            rate = self.done / (now - self.start)
            left = timedelta(seconds=round((self.total - self.done) / rate)) if rate else "unknown"
            line = f"{self.description}: {self.done}/{self.total}, {rate:.1f}/s, {left} left"
            print(line, file=sys.stderr, flush=True)
