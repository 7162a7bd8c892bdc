"""Files that were made to break a reader: each is read rightly or dropped with a reason, in bounded memory."""

import itertools
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.curation.profiling.pictures import detailed, encoded
from tests.curation.profiling.test_header import png_header

from mezzotint.curation import tables
from mezzotint.curation.profiling.stage import Profile
from mezzotint.curation.runner import run_pass
from mezzotint.curation.sources import Origin, open_input

PICTURE = detailed((320, 240))
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tif"}
ODD_NAMES = (
    *("it's.png", 'a "quoted" one.png', "two\nlines.png", "tab\there.png", "späte 图片.png", "%2e%2e%2fetc.png"),
    *("$(touch x).png", "a;b&c|d.png", "-rf.png", "no ending", "trailing .png ", "a,b.png", "é\u0301.png", "*.png"),
    *("x" * 240 + ".png", "\\windows\\path.png", "<script>alert(1)</script>.png".replace("/", "∕"), "{braces}.png"),
)


def hostile() -> Iterator[tuple[str, bytes, str]]:
    """Name, content, and what must come of it: "read", "dropped", or "either" where readers may differ."""
    whole = {kind: encoded(PICTURE, kind) for kind in KINDS}
    for kind, quarter in itertools.product(KINDS, range(4)):
        yield f"cut-{quarter}.{ENDINGS[kind]}", whole[kind][: len(whole[kind]) * quarter // 4], "dropped"
    for one, other in itertools.permutations(KINDS, 2):
        yield f"really-{one}.{ENDINGS[other]}", whole[one], "read"
    for name in ODD_NAMES:
        yield name, whole["PNG"], "read"
    for number, side in enumerate((1 << 13, 1 << 15, 1 << 17, 1 << 20, (1 << 31) - 1)):
        yield f"claims-{number}.png", png_header(side, side, bytes(1000)), "dropped"
        yield f"claims-{number}.bmp", _bmp_header(side), "dropped"
        yield f"claims-{number}.gif", b"GIF89a" + struct.pack("<HH", 65535, 65535 - number) + bytes(100), "dropped"
    for megapixels in (5, 9, 20, 33):
        side = int((megapixels * 1e6) ** 0.5)
        yield f"bomb-{megapixels}.png", encoded(Image.new("L", (side, side))), "dropped"
        yield f"bomb-{megapixels}.webp", encoded(Image.new("RGB", (side, side)), "WEBP", lossless=True), "dropped"
        yield f"bomb-{megapixels}.gif", encoded(Image.new("P", (side, side)), "GIF"), "either"
    yield "text-bomb.png", _with_chunk(whole["PNG"], b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 28), 9)), "either"
    yield "profile-bomb.png", _with_chunk(whole["PNG"], b"iCCP", b"k\0\0" + zlib.compress(bytes(1 << 28), 9)), "either"
    grey = np.asarray(PICTURE.convert("L"))
    yield "deep.png", encoded(Image.fromarray(grey.astype(np.uint16) << 8)), "read"
    yield "deep.tif", encoded(Image.fromarray(grey.astype(np.uint16) << 8), "TIFF"), "read"
    yield "float.tif", encoded(Image.fromarray(grey.astype(np.float32)), "TIFF"), "dropped"
    yield "cmyk.jpg", encoded(PICTURE.convert("CMYK"), "JPEG"), "read"
    yield "cmyk.tif", encoded(PICTURE.convert("CMYK"), "TIFF"), "read"
    yield "palette.png", encoded(PICTURE.quantize(16)), "read"
    yield "palette.gif", encoded(PICTURE.quantize(2), "GIF"), "read"
    yield "alpha.png", encoded(PICTURE.convert("RGBA")), "read"
    yield "grey-alpha.png", encoded(PICTURE.convert("LA")), "read"
    yield "bits.png", encoded(PICTURE.convert("1")), "read"
    yield "progressive.jpg", encoded(PICTURE, "JPEG", progressive=True), "read"
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        frames = [PICTURE.rotate(angle) for angle in range(0, 360, 30)]
        yield f"animated.{ENDINGS[kind]}", encoded(PICTURE, kind, save_all=True, append_images=frames), "read"
    yield "dot.png", encoded(Image.new("RGB", (1, 1))), "read"
    yield "line.png", encoded(Image.new("RGB", (10_000, 1), "red")), "read"
    for number in range(85):
        yield f"flipped-{number}.jpg", _flipped(whole["JPEG"], number), "either"
        yield f"flipped-{number}.png", _flipped(whole["PNG"], number), "either"
    for number in range(30):
        yield f"random-{number}.jpg", np.random.default_rng(number).bytes(1 + 997 * number), "dropped"
    for name, content in (("a.svg", b"<svg/>"), ("a.html", b"<html>"), ("a.zip", b"PK\3\4"), ("a.pdf", b"%PDF-1.7")):
        yield name, content * 50, "dropped"


def _bmp_header(side: int) -> bytes:
    return b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, *[0] * 6)


def _with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return png[:33] + chunk + png[33:]


def _flipped(data: bytes, seed: int) -> bytes:
    content, rng = bytearray(data), np.random.default_rng(seed)
    for position in rng.integers(0, len(content), 20):
        content[position] ^= 1 << int(rng.integers(8))
    return bytes(content)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name, content, _ in hostile():
        (folder / name).write_bytes(content)
    return folder


def test_each_is_read_or_dropped_with_a_reason(files: Path, tmp_path: Path) -> None:
    expected = {name: what for name, _, what in hostile()}
    assert len(expected) >= 300
    paths = run_pass(tmp_path, open_input(str(files), Origin(source="test")), "read", [Profile()], workers=2)
    rows = [row for path in paths for batch in tables.batches(path) for row in batch.to_pylist()]
    assert {row["id"] for row in rows} == set(expected)
    wrong = [
        (row["id"], expected[row["id"]], row["reason"])
        for row in rows
        if expected[row["id"]] != "either" and (row["dropped_by"] is None) != (expected[row["id"]] == "read")
    ]
    assert wrong == []
    for row in rows:
        assert row["dropped_by"] is None or (row["reason"] and "\n" not in row["reason"])
    assert not [path for path in files.iterdir() if path.name not in expected]


MEASURE = """
import sys
from pathlib import Path
from mezzotint.curation.profiling.stage import profile
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
idle = peak()
for path in sorted(Path(sys.argv[1]).iterdir()):
    profile(path.read_bytes())
print((peak() - idle) >> 10)
"""


@pytest.mark.slow
def test_they_take_less_than_half_a_gibibyte_of_memory(files: Path) -> None:
    worst = files.parent / "worst"
    worst.mkdir(exist_ok=True)
    side = int((33e6) ** 0.5)
    grains = np.random.default_rng(0).integers(0, 256, (side, side, 4), np.uint8)
    (worst / "large.png").write_bytes(encoded(Image.fromarray(grains), compress_level=0))
    (worst / "large.jpg").write_bytes(encoded(Image.fromarray(grains[..., :3]), "JPEG"))
    for folder in (files, worst):
        command = [sys.executable, "-c", MEASURE, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
        print(folder.name, done.stdout.strip(), "MiB")
        assert int(done.stdout) < 512
