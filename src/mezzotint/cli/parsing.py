"""Options from the command line, with tyro; what is wrong with them in one line."""

import io
import math
import re
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import fields, is_dataclass
from itertools import dropwhile, takewhile
from typing import Annotated, Any, get_args, get_type_hints

import tyro

from mezzotint.errors import InputError

FRAME = "╭╮╰╯│─ "
# What tyro says of a value that may be left out, in the words of its types.
NO_INSTANCE = re.compile(r"Error parsing (\S+): no type matching .* could be instantiated from \['(.*)'\]")


def parse(options: Any, arguments: Sequence[str], program: str, description: str) -> Any:
    """An instance of the `options` class, or None when `--help` was asked for and printed.

    Raises:
        InputError: An option is unknown, missing or has the wrong form.
    """
    _leave_out_empty_defaults(options)
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            return tyro.cli(
                options,
                prog=program,
                args=list(arguments),
                description=description,
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone),
            )
    except SystemExit as stop:
        if not stop.code:
            return None
        said = NO_INSTANCE.sub(r"\1 cannot be read from \2", first_paragraph(complaint.getvalue()))
        raise InputError(f"{said} ({program} --help lists the options)") from None


def named_numbers(
    option: str, given: Sequence[str], fits: Callable[[str, float], bool], wanted: str, alone: float = math.nan
) -> dict[str, float]:
    """Each name with its number, from values such as "counting=2"; `alone` is the number of a name without one.

    Raises:
        InputError: A value does not fit, which is answered with what is `wanted`, or a name comes twice.
    """
    found: dict[str, float] = {}
    for text in given:
        name, number = text.rsplit("=", 1) if "=" in text else (text, alone)
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not fits(name, value):
            raise InputError(f"--{option} has {text!r}; write {wanted}")
        if name in found:
            raise InputError(f"--{option} has {name!r} twice; name it once")
        found[name] = value
    return found


def _leave_out_empty_defaults(options: Any) -> None:
    """Help says nothing of a default that is none, where tyro would say "(default: None)"."""
    if not isinstance(options, type):  # a union of subcommands, each a class and words about it
        for part in get_args(options):
            _leave_out_empty_defaults(part)
        return
    hints = get_type_hints(options, include_extras=True)
    for field in fields(options):
        group = next(iter(get_args(hints[field.name])), None)
        if is_dataclass(group):
            _leave_out_empty_defaults(group)
        if field.default is None or field.default is False or field.default in ("", ()):
            hints[field.name] = Annotated[hints[field.name], tyro.conf.arg(help_behavior_hint="")]
    options.__annotations__ = hints


def first_paragraph(box: str) -> str:
    """What tyro says first inside its frame, on one line and without a full stop."""
    lines = [line.strip(FRAME) for line in box.splitlines()[1:]]
    said = dropwhile(_is_rule, lines)  # a terminal that knows no frames has a rule below the title
    return " ".join(takewhile(lambda line: not _is_rule(line), said)).rstrip(".") or "the options cannot be read"


def _is_rule(line: str) -> bool:
    return set(line) <= {"-"}
