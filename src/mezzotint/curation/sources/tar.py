"""WebDataset tars: members `key.jpg` with `key.txt` beside it. Members are read in place, none is ever extracted."""

import tarfile
from collections.abc import Iterator
from dataclasses import replace

import fsspec

from mezzotint.curation.sources.files import Entry, Place, printable

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")


def tar_entries(tar: Place, name: str) -> Iterator[Entry]:
    """The pictures of a tar, by their names' endings; where it breaks off, one entry more says so."""
    pictures, texts, reason = {}, {}, None
    try:
        with fsspec.open(tar.url, "rb") as file, tarfile.open(fileobj=file, mode="r:") as opened:
            for member in opened:
                place = replace(tar, offset=member.offset_data, size=member.size)
                if member.isfile() and member.name.lower().endswith(PICTURES):
                    pictures[member.name] = place
                elif member.isfile() and member.name.endswith(".txt"):
                    texts[member.name.removesuffix(".txt")] = place
            file.seek(opened.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # tarfile takes a broken header for the end
                reason = f"the tar breaks off at byte {opened.offset}"
    except (tarfile.TarError, OSError, EOFError) as error:
        reason = f"the tar breaks off: {error}"
    for member_name, place in pictures.items():
        key = member_name.rpartition(".")[0]
        yield Entry(id=f"{name}/{printable(member_name)}", place=place, caption=texts.get(key))
    if reason:
        yield Entry(id=name, place=tar, reason=reason)
