"""Write a component's weights in another format: folder, single safetensors file, GGUF; any to any.

What DEST is called says what it becomes: a .safetensors file is one in the layout of the original code and ComfyUI, a
.gguf file is GGUF, an .onnx or .pt2 file is one step of the transformer as a program of a fixed size, anything else a
folder as diffusers and transformers have it. It is there whole or not at all.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mezzotint.errors import InputError
from mezzotint.generation.settings import read_defaults
from mezzotint.models.bundle import INDEX, find_model, read_json
from mezzotint.models.conversion import convert, format_of
from mezzotint.models.sources import find_sources

PROGRAMS = (".onnx", ".pt2")
TOKENS = 128
DOWNSCALE = 8  # pixels that one of the latents stands for, with every published autoencoder


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
    size: Annotated[str | None, tyro.conf.arg(metavar="WxH")] = None
    """Of the pictures that a program makes; by default the model's."""
    tokens: Annotated[int, tyro.conf.arg(metavar="N")] = TOKENS
    """Of the prompts that a program takes, the chat template's included."""
    json: bool = False
    """Print JSON."""


def run(options: Options) -> None:
    if options.dest.suffix in PROGRAMS:
        _write_program(options)
        return
    if options.size is not None or options.tokens != TOKENS:
        raise InputError(f"--size and --tokens are a program's ({' or '.join(PROGRAMS)}), and {options.dest} is none")
    path = Path(options.source)
    source = path if path.exists() else find_model(options.source)
    if options.dest.resolve() in {source.resolve(), *(file.resolve() for file in source.rglob("*") if file.is_file())}:
        raise InputError(f"{options.dest} is the source; write to another place")
    done = convert(source, options.dest, options.component, options.format or format_of(options.dest), options.dtype)
    if options.json:
        print(json.dumps({"path": str(options.dest), **asdict(done)}, ensure_ascii=False))
        return
    kinds = ", ".join(f"{count} {dtype}" for dtype, count in done.dtypes.items())
    print(f"{options.dest}: {done.network}, {done.tensors} tensors ({kinds})")


def _write_program(options: Options) -> None:
    """One step of a model's transformer, for other runtimes."""
    from mezzotint.cli.generate import parse_size
    from mezzotint.generation import loading, loading_qwen_image
    from mezzotint.generation.export import export_step, write_program
    from mezzotint.generation.limits import check_size
    from mezzotint.runtime.device import DTYPES

    if options.component != "transformer" or options.format is not None:
        raise InputError(f"{options.dest} is a program of the transformer: leave --component and --format out")
    if options.dtype is not None and options.dtype not in DTYPES:
        raise InputError(f"dtype is {options.dtype!r}; a program can be in {', '.join(DTYPES)}")
    sources = find_sources(options.source)
    width, height = parse_size(options.size)
    size = read_defaults(sources.folder).override(steps=None, guidance=None, width=width, height=height)
    is_qwen = str(read_json(sources.folder / INDEX).get("_class_name")).startswith("QwenImage")
    load = loading_qwen_image.load_transformer if is_qwen else loading.load_transformer
    dtype = None if options.dtype is None else DTYPES[options.dtype]
    network = load(sources.components["transformer"], dtype, variant=sources.variant_of("transformer"))
    check_size(network, DOWNSCALE, width=size.width, height=size.height)
    program = export_step(
        network, batch=1, rows=size.height // DOWNSCALE, columns=size.width // DOWNSCALE, tokens=options.tokens
    )
    write_program(program, options.dest)
    made = {"path": str(options.dest), "width": size.width, "height": size.height, "tokens": options.tokens}
    told = f"{options.dest}: a step for {size.width}x{size.height} pixels and {options.tokens} tokens"
    print(json.dumps(made) if options.json else told)
