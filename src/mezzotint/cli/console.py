"""rich's console, as this program's commands print their tables."""

import rich.console


class Console(rich.console.Console):
    """Says that nobody reads any more as any other output does, so that `main` ends with its exit code."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
