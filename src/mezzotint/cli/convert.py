"""Write a component's weights in another format: folder, single safetensors file, GGUF; any to any.

What DEST is called says what it becomes: a .safetensors file is one in the layout of the original code and ComfyUI, a
.gguf file is GGUF, anything else a folder as diffusers and transformers have it. It is there whole or not at all.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mezzotint.errors import InputError
from mezzotint.models.bundle import find_model
from mezzotint.models.conversion import convert, format_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to convert, and into what."""

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """A file, a component's folder, or a model: its folder, its name or its hub id."""
    dest: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DEST")]
    """The file or folder to write."""
    component: Annotated[str, tyro.conf.arg(metavar="NAME")] = "transformer"
    """transformer, vae, text_encoder or controlnet."""
    dtype: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """float32, bfloat16, float16, and in GGUF q8_0 or q4_0; by default every tensor keeps its own."""
    format: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """folder, original, diffusers (a single file with the folder's names) or gguf, whatever DEST is called."""
    json: bool = False
    """Print JSON."""


def run(options: Options) -> None:
    path = Path(options.source)
    source = path if path.exists() else find_model(options.source)
    if options.dest.resolve() == source.resolve():
        raise InputError(f"{options.dest} is the source; write to another place")
    done = convert(source, options.dest, options.component, options.format or format_of(options.dest), options.dtype)
    if options.json:
        print(json.dumps({"path": str(options.dest), **asdict(done)}, ensure_ascii=False))
        return
    kinds = ", ".join(f"{count} {dtype}" for dtype, count in done.dtypes.items())
    print(f"{options.dest}: {done.network}, {done.tensors} tensors ({kinds})")
