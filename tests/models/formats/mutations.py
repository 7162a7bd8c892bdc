"""Files broken in every way that somebody thought of, and at random; made again the same from a seed."""

import json
import pickle
import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

BROKEN, DAMAGED = "broken", "damaged"  # must be refused; may happen to be harmless


def mutations(whole: Path, gguf: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """200 files made of a good safetensors and a good GGUF file, with what they must or may be."""
    made = list(_structured(whole.read_bytes())) + list(_gguf_structured(gguf.read_bytes())) + list(_disguises())
    rng = random.Random(0)
    while len(made) < 200:
        source, suffix = rng.choice([(whole, ".safetensors"), (gguf, ".gguf")])
        data = bytearray(source.read_bytes())
        if rng.random() < 0.5:
            made.append((BROKEN, suffix, bytes(data[: rng.randrange(len(data))])))
        else:
            for _ in range(rng.randrange(1, 20)):
                data[rng.randrange(min(len(data), 4000))] = rng.randrange(256)
            made.append((DAMAGED, suffix, bytes(data)))
    for number, (kind, suffix, content) in enumerate(made):
        path = folder / f"{number:03d}{suffix}"
        path.write_bytes(content)
        yield kind, path


def _packed(header: object, data: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def _structured(whole: bytes) -> Iterator[tuple[str, str, bytes]]:
    length = int.from_bytes(whole[:8], "little")
    header, data = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    names = [name for name in header if name != "__metadata__"]
    for name in names[:12]:
        for change in (
            {"dtype": "F64"},
            {"dtype": "X7"},
            {"shape": [2**62, 2**62]},
            {"shape": [-1]},
            {"data_offsets": [0, 2**62]},
            {"data_offsets": [0, 4]},
            {"shape": None},
        ):
            yield BROKEN, ".safetensors", _packed(header | {name: header[name] | change}, data)
    overlap = {name: header[name] | {"data_offsets": header[names[0]]["data_offsets"]} for name in names}
    yield BROKEN, ".safetensors", _packed(overlap, data)
    yield BROKEN, ".safetensors", (2**62).to_bytes(8, "little") + whole[8:]
    yield BROKEN, ".safetensors", _packed(b"[" * 10_000_000)
    yield BROKEN, ".safetensors", _packed(b"[" + b"{}," * 5_000_000 + b"{}]")
    yield BROKEN, ".safetensors", _packed(b'{"a":' + b"9" * 5_000_000 + b"}")
    yield BROKEN, ".safetensors", _packed({"a": {"dtype": "F32", "shape": [0] * 100, "data_offsets": [0, 0]}})
    many = {f"{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(200_000)}
    yield BROKEN, ".safetensors", _packed(many)


def _gguf_structured(whole: bytes) -> Iterator[tuple[str, str, bytes]]:
    for place, form, value in (
        (4, "<I", 1),
        (4, "<I", 2**24),
        (8, "<Q", 2**63),
        (8, "<Q", 99_999),
        (16, "<Q", 2**63),
        (16, "<Q", 99_999),
        (24, "<Q", 2**63),
    ):
        data = bytearray(whole)
        struct.pack_into(form, data, place, value)
        yield BROKEN, ".gguf", bytes(data)
    array = struct.pack("<QsIIQ", 1, b"k", 9, 8, 5_000_000) + bytes(8 * 5_000_000)
    yield BROKEN, ".gguf", b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + array
    huge = struct.pack("<Qs", 1, b"a") + struct.pack("<IQQIQ", 2, 2**40, 2**20, 0, 0)
    yield BROKEN, ".gguf", b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + huge + bytes(64)


def _disguises() -> Iterator[tuple[str, str, bytes]]:
    """Other things under a good name: pickles, archives that unpack to gigabytes, text."""
    import io

    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", bytes(100_000_000))
    contents = [pickle.dumps({"a": [1, 2]}, protocol) for protocol in range(6)]
    contents += [bomb.getvalue(), b"", b"\0", b"\0" * 100, b"<!doctype html><html>", b"version https://git-lfs"]
    for content in contents:
        for suffix in (".safetensors", ".gguf"):
            yield BROKEN, suffix, content
