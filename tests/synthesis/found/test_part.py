"""Folders laid out as the packages are, with pictures of our own."""

import hashlib
import io
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mezzotint.runtime.packages import Package
from mezzotint.synthesis.builder import Part, build
from mezzotint.synthesis.found import clips, photographs
from mezzotint.synthesis.found.clipart import OPENCLIPART, STAMPS
from mezzotint.synthesis.found.part import FINDERS, Found
from mezzotint.synthesis.found.photographs import ENDLESS_SKY, OPENCV, SKIMAGE

COPYRIGHT = """Files: *
Copyright: someone
License: GPL-3+

Files: images/land/*
Copyright: a photographer
License: CC-BY-SA-4.0
"""


def write(path: Path, shade: int, size: tuple[int, int] = (160, 130)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 20, 30)).save(path)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("packages")
    sky = root / ENDLESS_SKY.name / "usr/share"
    (sky / "doc/endless-sky-data").mkdir(parents=True)
    (sky / "doc/endless-sky-data/copyright").write_text(COPYRIGHT)
    for name in ("beach3", "bwerner0"):
        write(sky / f"games/endless-sky/images/land/{name}.jpg", 10)
    for name in photographs._OPENCV_FILES:
        write(root / OPENCV.name / photographs.OPENCV_SAMPLES / name, 20)
    for name in photographs._SKIMAGE_FILES:
        write(root / SKIMAGE.name / "usr/lib/python3/dist-packages/skimage/data" / name, 30)
    drawings = root / OPENCLIPART.name / "usr/share/openclipart/png"
    write(drawings / "food/red_apple_jane_01.png", 40)
    write(drawings / "food/icon.png", 40, (64, 64))
    (drawings / "food/huge.png").write_bytes(_huge_header())
    stamps = root / STAMPS.name / "usr/share/tuxpaint/stamps"
    write(stamps / "animals/cat.png", 50)
    (stamps / "animals/cat.txt").write_text("A cat.\nde.utf8=Eine Katze.\nzh_CN.utf8=一只猫。\nzh_TW.utf8=貓\n")
    return root


def _huge_header() -> bytes:
    sink = io.BytesIO()
    Image.new("1", (8, 8)).save(sink, "PNG")
    data = bytearray(sink.getvalue())
    data[16:24] = (15000).to_bytes(4, "big") * 2
    return bytes(data)


@dataclass(frozen=True)
class Folders:
    root: Path

    def __call__(self, package: Package) -> Path:
        return self.root / package.name


def found(root: Path, name: str) -> Found:
    return Found(fetch=Folders(root), name=name)


def test_it_is_a_part_that_travels(root: Path) -> None:
    part = found(root, "photos")
    assert isinstance(part, Part)
    assert pickle.loads(pickle.dumps(part)) == part
    assert pickle.loads(pickle.dumps(part)).count == part.count
    assert len({found(root, name).version for name in FINDERS}) == len(FINDERS)


def test_photographs_have_the_licences_of_their_files_and_the_words_of_their_names(root: Path, tmp_path: Path) -> None:
    part = found(root, "photos")
    records = {record.id: record for record in map(part.record, range(part.count))}
    beach = records["photo/endless-sky/beach3"]
    assert (beach.licence, beach.credit, beach.kind) == ("CC-BY-SA-4.0", "a photographer", "photograph")
    assert [(caption.language, caption.text) for caption in beach.captions] == [("en", "beach"), ("zh", "海滩")]
    assert records["photo/endless-sky/bwerner0"].captions == ()
    assert records["photo/scikit-image/coffee.png"].licence == "CC0-1.0"
    assert hashlib.sha256(beach.picture or b"").hexdigest() == beach.sha256
    assert (beach.width, beach.height) == (160, 130)
    assert build(tmp_path, [part], workers=1)["rows"] == part.count


def test_icons_and_drawings_of_many_megapixels_are_left_out(root: Path) -> None:
    part = found(root, "clipart")
    drawing, stamp = map(part.record, range(part.count))
    assert (drawing.id, drawing.group) == ("clipart/food/red_apple_jane_01", "food")
    assert [caption.text for caption in drawing.captions] == ["red apple jane 01"]
    assert [caption.text for caption in stamp.captions] == ["A cat.", "一只猫。"]
    assert stamp.licence == "GPL-2.0-or-later"


def test_every_fifth_frame_of_a_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    av = pytest.importorskip("av")
    shades = [20 * number for number in range(11)]
    with av.open(str(tmp_path / "a.avi"), "w") as clip:
        stream = clip.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for shade in shades:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), format="rgb24")
            clip.mux(stream.encode(frame))
        clip.mux(stream.encode())
    monkeypatch.setattr(clips, "_CLIPS", ((OPENCV, "a.avi", "MIT", "nobody"),))
    part = Found(fetch=lambda package: tmp_path, name="video")
    records = list(map(part.record, range(part.count)))
    assert [record.id for record in records] == [f"frame/a/{number:04d}" for number in (0, 5, 10)]
    for record, shade in zip(records, shades[::5], strict=True):
        assert abs(np.asarray(Image.open(io.BytesIO(record.picture or b""))).mean() - shade) < 4
