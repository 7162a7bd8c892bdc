import json
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.formats.safetensors import TensorEntry, read_header


def packed(header: object, data: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24], **changes}


def test_a_written_file_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    state = {
        "a": torch.zeros(2, 3, dtype=torch.bfloat16),
        "b": torch.zeros(4),
        "scalar": torch.tensor(1.0),
        "none": torch.zeros(0),
    }
    save_file(state, path, metadata={"format": "pt"})
    header = read_header(path)
    assert header.metadata == {"format": "pt"}
    assert {name: (found.dtype, found.shape) for name, found in header.tensors.items()} == {
        "a": ("BF16", (2, 3)),
        "b": ("F32", (4,)),
        "scalar": ("F32", ()),
        "none": ("F32", (0,)),
    }
    assert header.tensors["a"].elements == 6


def test_an_entry_says_where_its_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(packed({"a": entry()}, bytes(24)))
    assert read_header(path).tensors == {"a": TensorEntry("F32", (2, 3), 0, 24)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "too few"),
        (b"1234567", "too few"),
        (b"\xff" * 16, "hostile"),
        ((200).to_bytes(8, "little") + b"{}", "cut short"),
        (packed(b"{"), "not valid JSON"),
        (packed(b"\xff\xfe"), "not valid JSON"),
        (packed(b"[" * 100_000), "not valid JSON"),
        (packed(b'{"a": 1, "a": 2}'), "stands twice"),
        (packed([1]), "not an object"),
        (packed({"__metadata__": {"format": 1}}), "__metadata__"),
        (packed({"a": 1}), "tensor 'a' does not have the fields"),
        (packed({"a": {"dtype": "F32", "shape": [1]}}), "does not have the fields"),
        (packed({"a": entry(dtype="F31")}, bytes(24)), "unknown dtype 'F31'"),
        (packed({"a": entry(shape=[-2, -3])}, bytes(24)), "impossible shape"),
        (packed({"a": entry(shape=[True, 6])}, bytes(24)), "impossible shape"),
        (packed({"a": entry(shape=[2**70])}, bytes(24)), "impossible shape"),
        (packed({"a": entry(data_offsets=[24, 0])}, bytes(24)), "impossible place"),
        (packed({"a": entry(dtype="F16")}, bytes(24)), "which is not F16 [2, 3]"),
        (packed({"a": entry()}, bytes(23)), "cut short (its tensors need 24 bytes, 23 are there)"),
        (packed({"a": entry()}, bytes(25)), "1 bytes belong to no tensor"),
        (packed({"a": entry(), "b": entry()}, bytes(24)), "overlaps"),
        (packed({"a": entry(data_offsets=[8, 32])}, bytes(32)), "leaves a gap"),
    ],
)
def test_a_broken_file_is_named_with_its_fault(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(FileFormatError) as caught:
        read_header(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert reason in message
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"absent\.safetensors is missing"):
        read_header(tmp_path / "absent.safetensors")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_header(tmp_path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 200), place=st.integers(0, 200), byte=st.integers(0, 255))
def test_no_damage_raises_anything_else(tmp_path: Path, cut: int, place: int, byte: int) -> None:
    whole = bytearray(packed({"a": entry(), "b": entry(dtype="BF16", data_offsets=[24, 36])}, bytes(36)))
    whole[place % len(whole)] = byte
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(bytes(whole[: max(0, len(whole) - cut)]))
    with suppress(FileFormatError):
        header = read_header(path)
        assert cut == 0
        assert len(header.tensors) == 2
