"""Any file of weights, by what its first bytes say it is."""

from dataclasses import replace
from pathlib import Path

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.formats.fp8 import resolve_fp8
from mezzotint.models.formats.gguf import MAGIC, open_gguf
from mezzotint.models.formats.safetensors import open_safetensors
from mezzotint.models.formats.stored import WeightsFile

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
ZIP = b"PK"  # what torch.save writes: a pickle in an archive
PICKLE_PROTOCOLS = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
PICTURES = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"RIFF": "WebP"}
HEADER_START = 8  # where the JSON of a safetensors file begins


def open_weights(path: Path) -> WeightsFile:
    """A safetensors or GGUF file; eight-bit floats come with their scales applied.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is a pickle or a picture, broken, or of a format that is not read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(HEADER_START + 1)
    except FileNotFoundError as cause:
        raise MissingFileError(f"{path} is missing") from cause
    except OSError as cause:
        raise FileFormatError(f"{path} cannot be read: {cause.strerror}") from cause
    if path.suffix in PICKLES or _begins(start, ZIP, *PICKLE_PROTOCOLS):
        raise FileFormatError(f"{path} is a pickle, which can run code when read; only safetensors and GGUF are read")
    for signature, kind in PICTURES.items():
        if _begins(start, signature):
            raise FileFormatError(f"{path} is a picture ({kind}); weights are safetensors or GGUF")
    if start.startswith(MAGIC) or path.suffix == ".gguf":
        return open_gguf(path)
    found = open_safetensors(path)
    try:
        return replace(found, tensors=resolve_fp8(found.tensors))
    except FileFormatError as cause:
        raise FileFormatError(f"{path}: {cause}") from cause


def _begins(start: bytes, *signatures: bytes) -> bool:
    """Whether a file is of another kind: a header's length may begin with the same bytes, but then JSON follows it."""
    return start[HEADER_START:] != b"{" and start.startswith(signatures)
