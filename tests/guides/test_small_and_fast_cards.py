from pathlib import Path

import pytest
from tests.guides.blocks import blocks, commands

from mezzotint.cli.main import main

PAGE = Path("docs/guides/small-and-fast-cards.md").absolute()


@pytest.mark.slow
def test_every_command_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the page's order, on the mini."""
    monkeypatch.chdir(tmp_path)
    for block in blocks(PAGE):
        for command in commands(block) if block.language == "sh" else []:
            assert main(command) == 0, " ".join(command)
    assert (tmp_path / "apple.png").is_file()
    assert (tmp_path / "step.pt2").is_file()
