from pathlib import Path
from typing import NamedTuple

import pytest

from mezzotint.cli.picture_paths import PicturePaths, slug
from mezzotint.errors import InputError, OutputError


class Job(NamedTuple):
    prompt: int
    picture: int
    seed: int


JOBS = [Job(0, 0, 7), Job(0, 1, 8)]


def names(out: Path, prompts: tuple[str, ...], *, numbered: bool, count: int) -> list[str]:
    paths = PicturePaths.plan(out, prompts, numbered=numbered, count=count)
    jobs = [Job(prompt, picture, 7 + picture) for prompt in range(len(prompts)) for picture in range(count)]
    found = [paths.of(job) for job in jobs]
    assert {path.parent for path in found} == {paths.folder}
    assert paths.folder.is_dir()
    assert not list(paths.folder.iterdir())
    return [path.name for path in found]


def test_one_prompt_in_a_folder(tmp_path: Path) -> None:
    assert names(tmp_path, ("A red apple!",), numbered=False, count=1) == ["a-red-apple-7.png"]
    assert names(tmp_path / "new", ("apple",), numbered=False, count=2) == ["apple-7.png", "apple-8.png"]


def test_one_prompt_in_a_file(tmp_path: Path) -> None:
    assert names(tmp_path / "new" / "x.png", ("apple",), numbered=False, count=1) == ["x.png"]
    assert names(tmp_path / "new" / "x.PNG", ("apple",), numbered=False, count=2) == ["x-00.png", "x-01.png"]


def test_several_prompts_are_numbered(tmp_path: Path) -> None:
    assert names(tmp_path, ("a", "b"), numbered=True, count=1) == ["0000.png", "0001.png"]
    two = ["0000-00.png", "0000-01.png", "0001-00.png", "0001-01.png"]
    assert names(tmp_path, ("a", "b"), numbered=True, count=2) == two


def test_a_prompt_file_of_one_line_is_numbered_too(tmp_path: Path) -> None:
    assert names(tmp_path, ("a",), numbered=True, count=1) == ["0000.png"]


def test_a_folder_may_have_a_dot_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "v1.5").mkdir()
    assert names(tmp_path / "v1.5", ("a",), numbered=True, count=1) == ["0000.png"]


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"written as \.png"):
        PicturePaths.plan(tmp_path / "x.jpg", ("a",), numbered=False, count=1)
    with pytest.raises(InputError, match="several prompts need a folder"):
        PicturePaths.plan(tmp_path / "x.png", ("a", "b"), numbered=True, count=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write pictures to"):
        PicturePaths.plan(tmp_path / "file" / "folder", ("a",), numbered=False, count=1)
    with pytest.raises(OutputError, match="cannot write pictures to"):
        PicturePaths.plan(tmp_path / "file", ("a",), numbered=False, count=1)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("A red apple, on a table!", "a-red-apple-on-a-table"),
        ("一个红苹果", "一个红苹果"),
        ("../../etc/passwd", "etc-passwd"),
        ("!?", "picture"),
        ("x" * 300, "x" * 60),
        ("苹" * 300, "苹" * 20),
        ("word " * 100, "-".join(["word"] * 12)),
    ],
)
def test_slugs(prompt: str, expected: str) -> None:
    assert slug(prompt) == expected
