"""The part "clipart": drawings of the Open Clip Art Library, and Tux Paint's stamps, mostly cut from photographs."""

import re
from collections.abc import Iterator
from pathlib import Path

from mezzotint.runtime.packages import Package
from mezzotint.synthesis.concepts import Language
from mezzotint.synthesis.found.item import Item
from mezzotint.synthesis.styles import Fetch

OPENCLIPART = Package(
    kind="debian",
    name="openclipart-png",
    version="1:0.18+dfsg-19",
    sha256="f07f1545a2970c2cf3fa339bc2405da1a95cf2b1827bfa05bf73eb1c20291c02",
    licence="LicenseRef-public-domain",
    credit="Open Clip Art Library and its contributors",
)
STAMPS = Package(
    kind="debian",
    name="tuxpaint-stamps-default",
    version="2022.06.04-1",
    sha256="6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
    licence="GPL-2.0-or-later",
    credit="Tux Paint stamps, copyright Bill Kendrick and contributors",
)
PACKAGES = (OPENCLIPART, STAMPS)
LEAST, MOST = 128, 8192  # pixels of the longer side: smaller ones are icons; one of them has 231 megapixels

_PIXELS = 1 << 25
_CHINESE = re.compile(r"^zh_CN\.utf8=(.+)$", re.MULTILINE)


def find(fetch: Fetch) -> list[Item]:
    return [*_drawings(fetch(OPENCLIPART)), *_stamps(fetch(STAMPS))]


def _drawings(folder: Path) -> Iterator[Item]:
    """Their only text is the file's name: words, the author and numbers, as raw alt text is."""
    root = folder / "usr/share/openclipart/png"
    for path in sorted(root.rglob("*.png")):
        if _is_fit(path):
            name = path.relative_to(root).with_suffix("").as_posix()
            yield Item(
                id=f"clipart/{name}",
                path=path,
                kind="clip-art",
                package=OPENCLIPART,
                licence=OPENCLIPART.licence,
                credit=OPENCLIPART.credit,
                group=name.partition("/")[0],
                captions={"en": path.stem.replace("_", " ").strip()},
            )


def _stamps(folder: Path) -> Iterator[Item]:
    root = folder / "usr/share/tuxpaint/stamps"
    for path in sorted(root.rglob("*.png")):
        if _is_fit(path):
            name = path.relative_to(root).with_suffix("").as_posix()
            yield Item(
                id=f"stamp/{name}",
                path=path,
                kind="stamp",
                package=STAMPS,
                licence=STAMPS.licence,
                credit=STAMPS.credit,
                group=name.partition("/")[0],
                captions=_captions(path.with_suffix(".txt")),
            )


def _captions(file: Path) -> dict[Language, str]:
    """English in the first line, other languages in lines of their own."""
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8", errors="replace")
    captions: dict[Language, str] = {"en": text.partition("\n")[0].strip()}
    if found := _CHINESE.search(text):
        captions["zh"] = found[1].strip()
    return {language: caption for language, caption in captions.items() if caption}


def _is_fit(path: Path) -> bool:
    """By the size that a PNG's first chunk says."""
    with path.open("rb") as file:
        header = file.read(24)
    width, height = (int.from_bytes(header[at : at + 4], "big") for at in (16, 20))
    return LEAST <= max(width, height) <= MOST and width * height <= _PIXELS
