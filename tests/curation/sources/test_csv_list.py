from pathlib import Path

import pytest
from tests.curation.small_stages import write_pictures
from tests.curation.sources.test_locate import ORIGIN, rows

from mezzotint.curation.sources import open_input
from mezzotint.errors import FileFormatError


def test_paths_are_relative_absolute_or_urls(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 3)
    absolute, url = folder / "001.png", f"file://{folder}/002.png"
    (tmp_path / "list.csv").write_text(f'path,caption\npictures/000.png,"one, two"\n{absolute},\n{url},three\n')
    found = rows(str(tmp_path / "list.csv"))
    assert [row["picture"] for row in found] == [(folder / f"00{i}.png").read_bytes() for i in range(3)]
    assert [[c["text"] for c in row["captions"]] for row in found] == [["one, two"], [], ["three"]]


def test_a_missing_picture_says_so(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\nnowhere.png\n")
    (row,) = rows(str(tmp_path / "list.csv"))
    assert row["unread"] == "cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no column `path`"),
        (b"file,caption\na,b\n", "no column `path`"),
        (b"path\n\xff\xfe\n", "not a CSV list in UTF-8"),
        (b'path\n"a"b\n', "not a CSV list"),
    ],
)
def test_what_is_no_list_is_one_clear_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(FileFormatError, match=complaint):
        open_input(str(tmp_path / "list.csv"), ORIGIN)
