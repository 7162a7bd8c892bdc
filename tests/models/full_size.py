"""The released networks in every kind of file, without their data: sparse files whose bytes the disk does not hold."""

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
import torch
from tests.models.vision_language.small_tower import small_tokenizer

from mezzotint.models import autoencoder, dual_stream, single_stream, text, vision, vision_language
from mezzotint.models.adapters import control
from mezzotint.models.dialects import dialect_of
from mezzotint.models.formats import StoredTensor

SHARDS = 3
COMFYUI_PREFIX = "model.diffusion_model."
Shapes = Mapping[str, tuple[int, ...]]
Entries = Mapping[str, tuple[str, tuple[int, ...]]]  # dtype and shape


class Released(NamedTuple):
    """A component of a release.

    Attributes:
        place: In a model folder. network: What `inspect` calls it; None where it is in folders only.
        load: Code that makes `network` of the folder or file `path`, in bfloat16, on no device.
        tensors, parameters: How many are in the folder's files.
    """

    place: str
    network: str | None
    shapes: Shapes
    config: dict[str, Any]
    load: str
    tensors: int
    parameters: int


def shapes_of(network: torch.nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def loads(module: str, function: str, further: str = "") -> str:
    return (
        f"from mezzotint.generation.{module} import {function}; "
        f"network = {function}(path, torch.bfloat16, 'meta', variant{further})"
    )


LOAD_CONTROL = """
from mezzotint.generation.control import load_control
from mezzotint.models.single_stream import Z_IMAGE_6B, SingleStreamTransformer
with torch.device("meta"):
    leads = SingleStreamTransformer(Z_IMAGE_6B)
network = load_control(path, leads, torch.bfloat16, "meta")
"""


def released() -> dict[str, Released]:
    """Every network of both releases."""
    with torch.device("meta"):
        flux, wan = autoencoder.Autoencoder(autoencoder.FLUX), autoencoder.QwenImageAutoencoder(autoencoder.QWEN_IMAGE)
        language = text.build(text.QWEN3_4B)
        seeing = vision_language.VisionLanguageTower(vision_language.QWEN2_5_VL_7B, small_tokenizer())
        siglip = vision.VisionTower(vision.SIGLIP2_SO400M, vision.Preparation(patch_size=16, max_num_patches=256))
    qwen3 = {f"model.{name}": shape for name, shape in shapes_of(language).items()}
    output = (seeing.config.language.vocab_size, seeing.config.language.hidden_size)
    qwen2_5_vl = {name: tuple(x.shape) for name, x in vision_language.to_published(seeing.state_dict()).items()}
    siglip2 = {name.replace("model.", "vision_model.", 1): shape for name, shape in shapes_of(siglip).items()}
    z_image, union = single_stream.Z_IMAGE_6B, control.UNION_2_0
    return {
        "Z-Image": Released(
            "transformer",
            "Z-Image transformer",
            single_stream.published_shapes(z_image),
            z_image.to_json(),
            loads("loading", "load_transformer"),
            521,
            6_154_908_736,
        ),
        "Z-Image's autoencoder": Released(
            "vae",
            "AutoencoderKL",
            shapes_of(flux),
            autoencoder.FLUX.to_json(),
            loads("loading", "load_autoencoder"),
            244,
            83_819_683,
        ),
        "Z-Image's text encoder": Released(
            "text_encoder",
            "Qwen3 text encoder",
            qwen3,
            text.QWEN3_4B.to_json(),
            loads("loading", "load_text_encoder", ", tokenizer=tokenizer"),
            398,
            4_022_468_096,
        ),
        "Z-Image's ControlNet": Released(
            "controlnet",
            "ControlNet for Z-Image",
            control.published_shapes(union, z_image),
            union.to_json(),
            LOAD_CONTROL,
            259,
            2_950_156_800,
        ),
        "Z-Image Omni's vision tower": Released(
            "siglip",
            None,
            siglip2,
            vision.SIGLIP2_SO400M.to_json(),
            loads("loading", "load_vision_tower", ", processor=tokenizer"),
            437,
            412_649_712,
        ),
        "Qwen-Image": Released(
            "transformer",
            "Qwen-Image transformer",
            dual_stream.published_shapes(dual_stream.QWEN_IMAGE),
            dual_stream.QWEN_IMAGE.to_json(),
            loads("loading_qwen_image", "load_transformer"),
            1933,
            20_430_401_088,
        ),
        "Qwen-Image's autoencoder": Released(
            "vae",
            "AutoencoderKLQwenImage",
            shapes_of(wan),
            wan.config.to_json(),
            loads("loading_qwen_image", "load_autoencoder"),
            194,
            126_892_531,
        ),
        "Qwen-Image's text encoder": Released(
            "text_encoder",
            "Qwen2.5-VL text encoder",
            qwen2_5_vl | {"lm_head.weight": output},
            seeing.config.to_json(),
            loads("loading_qwen_image", "load_text_encoder", ", tokenizer=tokenizer, vision=vision"),
            729,
            8_292_166_656,
        ),
    }


RELEASED = released()

# Files ------------------------------------------------------------------------------------------


def count(shapes: Shapes) -> int:
    """Numbers in all tensors."""
    return sum(math.prod(shape) for shape in shapes.values())


def in_dialect(release: Released, dialect: str) -> Shapes:
    """The tensors of a single file in that dialect."""
    assert release.network is not None

    def unread(dtype: torch.dtype | None) -> torch.Tensor:
        raise AssertionError("names and shapes need no data")

    stored = {name: StoredTensor("BF16", shape, 0, unread) for name, shape in release.shapes.items()}
    names = dialect_of(release.network, dialect).from_published(stored)
    return {name: tensor.shape for name, tensor in names.items()}


def write_safetensors(path: Path, entries: Entries) -> None:
    """All zeros, none of which is on the disk."""
    header: dict[str, Any] = {}
    end = 0
    for name, (dtype, shape) in entries.items():
        start, end = end, end + math.prod(shape) * {"F8_E4M3": 1, "BF16": 2, "F16": 2, "F32": 4}[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    with path.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(8 + len(raw) + end)


def write_shards(folder: Path, release: Released, variant: str | None = None) -> Path:
    """A component's folder in bfloat16, or in the variant fp16."""
    component = folder / release.place
    component.mkdir()
    names = sorted(release.shapes)
    dtype, in_name, in_index = ("BF16", "", "json") if variant is None else ("F16", f".{variant}", f"{variant}.json")
    weight_map: dict[str, str] = {}
    for number in range(SHARDS):
        part = names[number * len(names) // SHARDS : (number + 1) * len(names) // SHARDS]
        file = f"diffusion_pytorch_model{in_name}-{number + 1:05d}-of-{SHARDS:05d}.safetensors"
        write_safetensors(component / file, {name: (dtype, release.shapes[name]) for name in part})
        weight_map |= dict.fromkeys(part, file)
    index = component / f"diffusion_pytorch_model.safetensors.index.{in_index}"
    index.write_text(json.dumps({"weight_map": weight_map}))
    (component / "config.json").write_text(json.dumps(release.config))
    return component


def write_original(folder: Path, release: Released, dialect: str = "original") -> Path:
    """One file in bfloat16, named as ComfyUI has it: fused where that is."""
    shapes, prefix = in_dialect(release, dialect), COMFYUI_PREFIX if release.place == "transformer" else ""
    write_safetensors(folder / "x.safetensors", {prefix + name: ("BF16", shape) for name, shape in shapes.items()})
    return folder / "x.safetensors"


def write_float8(folder: Path, release: Released) -> Path:
    """The same with the matrices in eight bits, each with its scale."""
    entries: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, shape in in_dialect(release, "original").items():
        is_matrix = len(shape) == 2 and name.endswith(".weight")
        entries[name] = ("F8_E4M3" if is_matrix else "BF16", shape)
        if is_matrix:
            entries[name.removesuffix("weight") + "weight_scale"] = ("F32", ())
    write_safetensors(folder / "x.safetensors", entries)
    return folder / "x.safetensors"


def write_q8_0(folder: Path, release: Released) -> Path:
    """GGUF, the header written by llama.cpp's own library; text encoders in llama.cpp's names."""
    shapes = in_dialect(release, "llama.cpp" if release.place == "text_encoder" else "original")
    path = folder / "x.gguf"
    writer = gguf.GGUFWriter(path, "sparse")
    end = 0
    for name, shape in shapes.items():
        is_wide = len(shape) == 2 and shape[1] % 32 == 0
        kind = gguf.GGMLQuantizationType.Q8_0 if is_wide else gguf.GGMLQuantizationType.F32
        block, nbytes = gguf.GGML_QUANT_SIZES[kind]
        size = math.prod(shape) // block * nbytes
        writer.add_tensor_info(name, shape, np.dtype(np.float32), size, kind)
        end += size + -size % 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + 32 + end)
    return path


WRITERS: dict[str, Callable[[Path, Released], Path]] = {
    "shards": write_shards,
    "variant": partial(write_shards, variant="fp16"),
    "one file": write_original,
    "float8": write_float8,
    "Q8_0": write_q8_0,
}
SMALL = ("shards", "one file")  # networks that nobody quantises
LAYOUTS = {
    "Z-Image": tuple(WRITERS),
    "Z-Image's autoencoder": SMALL,
    "Z-Image's text encoder": tuple(WRITERS),
    "Z-Image's ControlNet": (*SMALL, "Q8_0"),
    "Z-Image Omni's vision tower": ("shards",),
    "Qwen-Image": tuple(WRITERS),
    "Qwen-Image's autoencoder": SMALL,
    "Qwen-Image's text encoder": tuple(WRITERS),
}
