from pathlib import Path

import pytest

from mezzotint.cli.prompts import read_prompts
from mezzotint.errors import FileFormatError, InputError, MissingFileError


def test_one_prompt_a_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffa red apple \r\n一个红苹果\nlast\n\n".encode())
    assert read_prompts(path) == ("a red apple", "一个红苹果", "last")


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n\t\n"])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"prompts\.txt is empty"):
        read_prompts(path)


def test_a_blank_line_between_prompts_is_named(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("one\n\nthree\n")
    with pytest.raises(InputError, match="no prompt on line 2"):
        read_prompts(path)


def test_a_blank_first_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("\ntwo\n")
    with pytest.raises(InputError, match="no prompt on line 1"):
        read_prompts(path)


def test_no_text(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(b"apple \xff")
    with pytest.raises(FileFormatError, match=r"not UTF-8 text \(byte 6\)"):
        read_prompts(path)
    with pytest.raises(MissingFileError, match=r"absent\.txt is missing"):
        read_prompts(tmp_path / "absent.txt")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_prompts(tmp_path)
