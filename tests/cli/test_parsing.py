from dataclasses import dataclass
from typing import Annotated

import pytest
import tyro

from mezzotint.cli.parsing import first_paragraph, parse
from mezzotint.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Options:
    """Sizes."""

    steps: int = 8
    """How many."""
    seed: int | None = None
    """Which."""
    json: bool = False
    """Whether."""


def parsed(*arguments: str) -> object:
    return parse(Options, arguments, "mezzotint try", "Try it.")


def test_options() -> None:
    assert parsed("--steps", "-3", "--json") == Options(steps=-3, json=True)


def test_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert parsed("--help") is None
    out = capsys.readouterr().out
    assert "usage: mezzotint try" in out
    assert "--no-json" not in out
    assert "How many. (default: 8)" in out
    assert "None" not in out
    assert "False" not in out


def test_help_of_subcommands_says_nothing_of_empty_defaults_either(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Other:
        """Names."""

        name: str | None = None
        """Whose."""

    both = Annotated[Options, tyro.conf.subcommand("sizes")] | Annotated[Other, tyro.conf.subcommand("names")]
    assert parse(both, ["names", "--help"], "mezzotint try", "Try it.") is None
    assert "None" not in capsys.readouterr().out
    assert parse(both, ["names", "--name", "x"], "mezzotint try", "Try it.") == Other(name="x")


def test_a_complaint_without_frames() -> None:
    box = " Value error \n ------ \n  Error parsing --steps: no number \n  'x'. \n \n  Got errors: \n"
    assert first_paragraph(box) == "Error parsing --steps: no number 'x'"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--steps", "many"], "--steps"),
        (["--seed", "x"], "--seed cannot be read from x ("),
        (["--stepz", "3"], "Unrecognized options: --stepz, 3"),
        (["stray"], "Unrecognized options: stray"),
        (["--steps"], "Missing value for argument '--steps'"),
    ],
)
def test_a_wrong_option_is_one_line(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError) as caught:
        parsed(*arguments)
    message = str(caught.value)
    assert reason in message
    assert message.endswith("(mezzotint try --help lists the options)")
    assert not set("\n╭│─") & set(message)
    assert capsys.readouterr() == ("", "")
