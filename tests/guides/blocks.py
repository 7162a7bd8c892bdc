"""The fenced blocks of a page, and the commands in them."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

PAGES = [Path("README.md"), *sorted(Path("docs/guides").glob("*.md"))]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """`language` is what stands behind the fence: sh and python are run where a page is run."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """In the page's order, without their indentation."""
    found = FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(block[2], re.sub(rf"^{block[1]}", "", block[3], flags=re.MULTILINE)) for block in found]


def commands(block: Block) -> list[list[str]]:
    """The words of every `mezzotint …` of a block, behind `mezzotint`; a backslash joins lines, a # begins a remark.

    Several processes run one behind `torchrun … -m`.
    """
    lines = block.text.replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[line.index("mezzotint") + 1 :] for line in words if line[:1] in (["mezzotint"], ["torchrun"])]
