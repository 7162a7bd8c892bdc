"""The names of picture files, known and tried before anything is computed."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from mezzotint.errors import InputError, OutputError

SLUG_BYTES = 60  # of a prompt in a file's name


@runtime_checkable
class Numbered(Protocol):
    """What names a picture: its prompt's place, its own under the prompt, its seed."""

    @property
    def prompt(self) -> int: ...
    @property
    def picture(self) -> int: ...
    @property
    def seed(self) -> int | None: ...


@dataclass(frozen=True, kw_only=True)
class PicturePaths:
    """Where each picture of a command goes.

    Attributes:
        folder: They all lie here.
        stem: Of one prompt's pictures: the name that --out gave, or its words. None: prompts are numbered.
        seeded: Whether the seed stands after the stem, or the picture's number where there are several.
        count: Pictures a prompt.
    """

    folder: Path
    stem: str | None
    seeded: bool
    count: int

    @classmethod
    def plan(cls, out: Path, prompts: tuple[str, ...], *, numbered: bool, count: int) -> "PicturePaths":
        """Decide on the names, make the folder, and try whether it can be written.

        Raises:
            InputError: `out` has another suffix than .png, or is one file for several prompts.
            OutputError: The folder cannot be made or written.
        """
        is_file = not out.is_dir() and out.suffix != ""
        if is_file and out.suffix.lower() != ".png":
            raise InputError(f"--out {out}: pictures are written as .png")
        if is_file and numbered:
            raise InputError(f"--out {out}: several prompts need a folder")
        folder = out.parent if is_file else out
        _try_to_write(folder)
        stem = out.stem if is_file else None if numbered else slug(prompts[0])
        return cls(folder=folder, stem=stem, seeded=not is_file, count=count)

    def of(self, job: Numbered) -> Path:
        """The path of one picture."""
        number = f"-{job.picture:02d}" if self.count > 1 else ""
        if self.stem is None:
            return self.folder / f"{job.prompt:04d}{number}.png"
        return self.folder / (f"{self.stem}-{job.seed}.png" if self.seeded else f"{self.stem}{number}.png")


def slug(prompt: str) -> str:
    """The first words of a prompt, in any script, as a file name: letters and digits with hyphens between."""
    words = "".join(letter.lower() if letter.isalnum() else " " for letter in prompt).split()
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word
        if len(longer.encode()) > SLUG_BYTES:
            break
        name = longer
    return name or (words[0].encode()[:SLUG_BYTES].decode(errors="ignore") if words else "picture")


def _try_to_write(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, probe = tempfile.mkstemp(dir=folder)
        os.close(descriptor)
        os.unlink(probe)
    except OSError as cause:
        raise OutputError(f"cannot write pictures to {folder}: {cause.strerror}") from cause
