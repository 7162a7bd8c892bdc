"""The same weights in another file: from any format and dialect to any, one tensor in memory at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mezzotint.errors import FileFormatError, InputError
from mezzotint.models.bundle import DIFFUSERS_WEIGHTS, INDEX, TRANSFORMERS_WEIGHTS
from mezzotint.models.components import CONFIG, Component, open_component
from mezzotint.models.dialects import PREFIXES, dialect_of, recognize
from mezzotint.models.formats import Outgoing, StoredTensor
from mezzotint.models.formats.gguf_writer import write_gguf
from mezzotint.models.formats.safetensors import write_safetensors
from mezzotint.runtime import atomic

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = ("folder", "original", "diffusers", "gguf")
# What a user calls a dtype, and the files.
DTYPES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16", "q8_0": "Q8_0", "q4_0": "Q4_0"}
FLOATS = ("F32", "BF16", "F16")
BLOCK = 32  # numbers that share a scale in Q8_0 and Q4_0
BLOCK_NAME = re.compile(r"(layers|refiner|blocks|blk)\.\d+\.")
ARCHITECTURES = {"Z-Image transformer": "lumina2", "Qwen-Image transformer": "qwen_image"}  # as ComfyUI's loader asks


@dataclass(frozen=True)
class Converted:
    """What was written: the network, its tensors, and how many of each dtype."""

    network: str
    tensors: int
    dtypes: dict[str, int]


def format_of(dest: Path) -> str:
    """The format that a destination's name asks for: .gguf, .safetensors (in the original layout), or a folder."""
    return {".gguf": "gguf", ".safetensors": "original"}.get(dest.suffix, "folder")


def convert(source: Path, dest: Path, component: str, format: str, dtype: str | None) -> Converted:
    """Write one component of `source` to `dest`, there whole or not at all.

    Args:
        source: A model folder, a component's folder, or a file; a file may hold several components.
        format: folder (the published one), original or diffusers (a single safetensors file in that layout), or gguf.
        dtype: A name of `DTYPES`; without one every tensor keeps its own, quantised ones become fp32. Q8_0 and Q4_0
            are for the matrices inside blocks; the rest, which is small and delicate, keeps its own.

    Raises:
        InputError: The component, format or dtype is unknown, or they do not go together; or a folder to write has
            something in it.
        MissingFileError, FileFormatError: The source is missing, broken, or not a complete network.
        OutputError: The destination cannot be written.
    """
    if component not in PREFIXES:
        raise InputError(f"component {component!r} is not known; one of {', '.join(PREFIXES)} is")
    if format not in FORMATS:
        raise InputError(f"format {format!r} is not known; one of {', '.join(FORMATS)} is")
    if dtype is not None and dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is not known; one of {', '.join(DTYPES)} is")
    wanted = None if dtype is None else DTYPES[dtype]
    if wanted is not None and wanted not in FLOATS and format != "gguf":
        raise InputError(f"dtype {dtype} is GGUF's alone; give DEST the suffix .gguf")
    if format == "folder" and dest.is_dir() and any(dest.iterdir()):
        raise InputError(f"{dest} is a folder with something in it; write to a new one")
    opened = open_component(source / component if (source / INDEX).is_file() else source, component)
    found = recognize(opened.tensors)
    if not found:
        raise FileFormatError(f"{source} holds no {component} that is known here")
    network = found[0].dialect.network
    _check_complete(opened, component)
    tensors = opened.tensors if format in ("folder", "diffusers") else _in_original_layout(opened.tensors, network)
    outgoing = {name: _outgoing(name, tensor, wanted) for name, tensor in tensors.items()}
    _write(dest, format, component, outgoing, opened.config, network)
    dtypes = [tensor.dtype for tensor in outgoing.values()]
    return Converted(network, len(dtypes), {name: dtypes.count(name) for name in dict.fromkeys(dtypes)})


def _in_original_layout(tensors: Mapping[str, StoredTensor], network: str) -> dict[str, StoredTensor]:
    """Under the names that single files have; the published ones where there are no others."""
    return dialect_of(network, "original").from_published(tensors)


def _check_complete(component: Component, name: str) -> None:
    """
    Raises:
        FileFormatError: Tensors of a transformer are missing, unknown or of wrong shapes.
    """
    expected = _expected_shapes(component.config) if name == "transformer" else None
    if expected is None:
        return  # the other networks say so when they are loaded
    found = {name: tensor.shape for name, tensor in component.tensors.items()}
    if found != expected:
        wrong = sorted({name for name, _ in found.items() ^ expected.items()})
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise FileFormatError(
            f"{component.path} is no complete transformer: missing, unknown or of wrong shapes are "
            f"{', '.join(wrong[:3])}{more}"
        )


def _expected_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]] | None:
    """Of a transformer's published tensors; None for a kind that is not known."""
    from mezzotint.models import dual_stream, single_stream

    match config.get("_class_name"):
        case "ZImageTransformer2DModel":
            return single_stream.published_shapes(single_stream.SingleStreamConfig.from_json(config))
        case "QwenImageTransformer2DModel":
            return dual_stream.published_shapes(dual_stream.DualStreamConfig.from_json(config))
        case _:
            return None


def _outgoing(name: str, tensor: StoredTensor, wanted: str | None) -> Outgoing:
    """A tensor in its dtype for the new file."""
    own = tensor.dtype if tensor.dtype in FLOATS else "F32"
    if wanted is None or (wanted not in FLOATS and not _is_quantisable(name, tensor)):
        wanted = own

    def make() -> Tensor:
        return tensor.read(None)

    return Outgoing(wanted, tensor.shape, make)


def _is_quantisable(name: str, tensor: StoredTensor) -> bool:
    """Whether it is a matrix inside a numbered block, of whole quantisation blocks; modulations are delicate."""
    in_block = BLOCK_NAME.search(name) and "adaLN" not in name and "_mod." not in name
    return bool(in_block) and len(tensor.shape) == 2 and tensor.shape[1] % BLOCK == 0


def _write(
    dest: Path, format: str, component: str, tensors: dict[str, Outgoing], config: dict[str, Any], network: str
) -> None:
    noted = {CONFIG: json.dumps(config)}
    if format == "gguf":
        write_gguf(dest, tensors, {"general.architecture": ARCHITECTURES.get(network, component), **noted})
    elif format == "folder":
        name = TRANSFORMERS_WEIGHTS if component == "text_encoder" else DIFFUSERS_WEIGHTS
        with atomic.folder(dest) as temporary:
            atomic.write_json(temporary / "config.json", config)
            write_safetensors(temporary / f"{name}.safetensors", tensors, {"format": "pt"})
    else:
        write_safetensors(dest, tensors, {"format": "pt", **noted})
