"""Prompt files: one prompt a line."""

from pathlib import Path

from mezzotint.errors import FileFormatError, InputError, MissingFileError

MAX_BYTES = 64_000_000


def read_prompts(path: Path) -> tuple[str, ...]:
    """The prompts of a UTF-8 text file, one a line, in its order. Blank lines may stand at the end only.

    A blank line between prompts is refused, since the pictures' numbers count lines.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is not UTF-8 text, or is too large.
        InputError: It has no prompt, or a blank line between prompts.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileFormatError(f"prompt file {path} is larger than {MAX_BYTES} bytes; split it")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as cause:
        raise MissingFileError(f"prompt file {path} is missing") from cause
    except UnicodeDecodeError as cause:
        raise FileFormatError(f"prompt file {path} is not UTF-8 text (byte {cause.start})") from cause
    except OSError as cause:
        raise FileFormatError(f"prompt file {path} cannot be read: {cause.strerror}") from cause
    lines = [line.strip() for line in text.rstrip().split("\n")]
    if lines == [""]:
        raise InputError(f"prompt file {path} is empty: write a prompt on each line")
    if "" in lines:
        raise InputError(f"prompt file {path} has no prompt on line {lines.index('') + 1}: remove the line")
    return tuple(lines)
