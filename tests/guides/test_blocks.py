from importlib import import_module
from pathlib import Path

import pytest
from tests.guides.blocks import PAGES, blocks, commands

from mezzotint.cli.main import VERBS
from mezzotint.cli.parsing import parse

COMMANDS = [(page, command) for page in PAGES for block in blocks(page) for command in commands(block)]


def test_blocks_and_commands(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        '```sh\nmezzotint inspect "a b" \\\n  --json  # at once\nls\n```\n\n- x\n  ```python\n  if x:\n      y\n  ```\n'
    )
    shell, python = blocks(page)
    assert (shell.language, commands(shell)) == ("sh", [["inspect", "a b", "--json"]])
    assert (python.language, python.text) == ("python", "if x:\n    y\n")


def test_the_pages_have_commands() -> None:
    assert {page.name for page, _ in COMMANDS} >= {"README.md", "train-a-mini.md", "run-the-published-models.md"}


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[f"{page.name}: {' '.join(c)}" for page, c in COMMANDS])
def test_every_command_is_one_of_this_program(page: Path, command: list[str]) -> None:
    """Its verb is there and its options are understood; nothing is run."""
    module, _ = VERBS[command[0]]
    assert parse(import_module(module).Options, command[1:], "mezzotint", "") is not None
