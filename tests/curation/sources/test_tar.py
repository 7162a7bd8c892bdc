import io
import tarfile
from pathlib import Path

import pytest
from tests.curation.small_stages import png
from tests.curation.sources.test_locate import rows


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


MEMBERS = {"0.png": png(0), "0.txt": b"zero", "0.json": b"{}", "../1.jpg": png(1), "/2.webp": png(2), "2.cls": b"7"}


def test_members_are_read_in_place_with_their_captions(tmp_path: Path) -> None:
    found = rows(str(write_tar(tmp_path / "a.tar", MEMBERS)))
    assert [row["id"] for row in found] == ["a.tar/0.png", "a.tar/../1.jpg", "a.tar//2.webp"]
    assert [row["picture"] for row in found] == [png(0), png(1), png(2)]
    assert [len(row["captions"]) for row in found] == [1, 0, 0]
    assert [path.name for path in tmp_path.rglob("*")] == ["a.tar"]
    assert not (tmp_path.parent / "1.jpg").exists()


def test_tars_and_pictures_can_lie_in_one_folder(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", MEMBERS)
    (tmp_path / "b.png").write_bytes(png(9))
    assert rows(str(tmp_path))[0]["id"] == "b.png"
    assert len(rows(str(tmp_path))) == 4


@pytest.mark.parametrize("end", [1024, 1500, 1536, 1600, 2048])
def test_a_tar_that_was_cut_gives_what_it_has_and_says_so(tmp_path: Path, end: int) -> None:
    tar = write_tar(tmp_path / "a.tar", {f"{i}.png": png(i) for i in range(4)})
    tar.write_bytes(tar.read_bytes()[:end])
    found = rows(str(tar))
    assert found[0]["picture"] == png(0)
    assert "the tar breaks off" in str(found[-1]["unread"])


def test_what_is_no_tar_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no tar" * 200)
    (row,) = rows(str(tmp_path / "a.tar"))
    assert "the tar breaks off" in str(row["unread"])


def test_a_broken_header_does_not_end_a_tar_in_silence(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {f"{i}.png": png(i) for i in range(4)})
    content = bytearray(tar.read_bytes())
    content[1024 + 150] ^= 1  # in the second member's checksum
    tar.write_bytes(content)
    assert [row["unread"] for row in rows(str(tar))] == [None, "the tar breaks off at byte 1024"]
