"""LoRA files in the dialects that are met: who wrote it shows in its names, what it does is the same.

A name is a prefix, a module, and the tensor's role:

    diffusers   transformer.layers.0.attention.to_q.lora_A.weight
    PEFT        base_model.model.layers.0.attention.to_q.lora_A.weight   (alpha in adapter_config.json beside it)
    ComfyUI     diffusion_model.layers.0.attention.qkv.lora_down.weight
    Kohya       lora_unet_layers_0_attention_to_q.lora_down.weight, ….alpha
    LyCORIS     lycoris_layers_0_attention_to_q.lokr_w1, ….hada_w1_a, ….dora_scale

The module is compared with its dots written as underscores, so that all of them meet in one table.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mezzotint.errors import FileFormatError
from mezzotint.models.adapters.forms import Change, Form, Hadamard, Kronecker, LowRank
from mezzotint.models.bundle import read_json
from mezzotint.models.formats import StoredTensor, open_weights

PREFIXES = (
    "base_model.model.",
    "model.diffusion_model.",
    "diffusion_model.",
    "transformer.",
    "lora_unet_",
    "lora_transformer_",
    "lycoris_",
)
ROLES = {
    **dict.fromkeys(("lora_A", "lora_down", "lora.down", "lora_linear_layer.down"), "down"),
    **dict.fromkeys(("lora_B", "lora_up", "lora.up", "lora_linear_layer.up"), "up"),
    **dict.fromkeys(("lora_magnitude_vector", "dora_scale"), "magnitude"),
    **{role: role for role in ("alpha", "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")},
    **{role: role for role in ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b")},
}
NAME = re.compile(
    rf"(.+)\.({'|'.join(sorted(map(re.escape, ROLES), key=len, reverse=True))})(?:\.default)?(?:\.weight)?"
)
DIFFUSERS_NOTE = "lora_adapter_metadata"
PEFT_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class Lora:
    """A file's changes by the flat name of the module that each is for."""

    path: Path
    changes: dict[str, Change]


def read_lora(path: Path) -> Lora:
    """All changes of a LoRA, LoHa, LoKr or DoRA file; a PEFT folder stands for the file in it.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is broken, a pickle, or has tensors that belong to none of these.
    """
    path = path / "adapter_model.safetensors" if path.is_dir() else path
    file = open_weights(path)
    scales = _Scales(path, file.metadata)
    parts: dict[str, dict[str, Tensor]] = {}
    for name, stored in file.tensors.items():
        found = NAME.fullmatch(name)
        if found is None:
            raise FileFormatError(f"{path}: {name!r} belongs to no kind of LoRA that is known here")
        parts.setdefault(_without_prefix(found[1]), {})[ROLES[found[2]]] = _matrix(path, name, stored)
    changes = {}
    for module, tensors in parts.items():
        try:
            changes[module.replace(".", "_")] = _change(module, tensors, scales)
        except KeyError as cause:
            raise FileFormatError(
                f"{path}: {module} has {', '.join(sorted(tensors))} but no {cause.args[0]}"
            ) from cause
    return Lora(path, _without_doubles(changes))


def _without_prefix(module: str) -> str:
    for prefix in PREFIXES:
        module = module.removeprefix(prefix)
    return module


def _matrix(path: Path, name: str, stored: StoredTensor) -> Tensor:
    """A tensor of two axes or fewer; 1x1 convolutions are matrices too."""
    tensor = stored.read(None)
    while tensor.ndim > 2 and tensor.shape[-1] == 1:
        tensor = tensor.squeeze(-1)
    if tensor.ndim > 2 or not tensor.is_floating_point():
        raise FileFormatError(f"{path}: {name} {stored.dtype} {list(stored.shape)} is not for a linear layer")
    return tensor


def _without_doubles(changes: dict[str, Change]) -> dict[str, Change]:
    """Some trainers write a layer's queries, keys and values both apart and together; the single ones count."""
    single = {"qkv": ("to_q", "to_k", "to_v"), "out": ("to_out_0",)}

    def is_double(name: str) -> bool:
        stem, _, last = name.rpartition("_")
        return stem.endswith("attention") and any(f"{stem}_{part}" in changes for part in single.get(last, ()))

    return {name: change for name, change in changes.items() if not is_double(name)}


def _change(module: str, tensors: Mapping[str, Tensor], scales: "_Scales") -> Change:
    """
    Raises:
        KeyError: A part is missing.
        FileFormatError: Parts do not fit each other.
    """
    alpha = tensors.get("alpha")
    form: Form
    if "down" in tensors or "up" in tensors:
        down, up = tensors["down"], tensors["up"]
        scales.multiply(module, up, down)
        form = LowRank(down, up, scales.scale(module, alpha, down.shape[0]))
    elif any(role.startswith("hada") for role in tensors):
        w1_a, w1_b, w2_a, w2_b = (tensors[f"hada_w{part}"] for part in ("1_a", "1_b", "2_a", "2_b"))
        if scales.multiply(module, w1_a, w1_b) != scales.multiply(module, w2_a, w2_b):
            raise FileFormatError(f"{scales.path}: the two products of {module} have different shapes")
        form = Hadamard(w1_a, w1_b, w2_a, w2_b, scales.scale(module, alpha, w1_b.shape[0]))
    else:
        factors, rank = [], None
        for role in ("lokr_w1", "lokr_w2"):
            if role not in tensors:
                left, right = tensors[f"{role}_a"], tensors[f"{role}_b"]
                scales.multiply(module, left, right)
                rank = right.shape[0]
                factors.append(left.float() @ right.float())
            else:
                factors.append(tensors[role])
        form = Kronecker(factors[0], factors[1], scales.scale(module, alpha, rank))
    magnitude = tensors.get("magnitude")
    return Change(form, None if magnitude is None else scales.magnitude(module, magnitude, form.shape))


class _Scales:
    """α / rank of every module: what the file says, else what its writer noted, else 1."""

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        self.path = path
        beside = path.parent / PEFT_CONFIG
        noted = _note(path, metadata)
        self.config = noted or (read_json(beside) if path.stem == "adapter_model" and beside.is_file() else {})

    def scale(self, module: str, alpha: Tensor | None, rank: int | None) -> float:
        """The factor of ΔW. A Kronecker product of two whole matrices has no rank; only a note of α counts for it."""
        if alpha is not None:
            if alpha.numel() != 1 or not math.isfinite(alpha.item()):
                raise FileFormatError(f"{self.path}: alpha of {module} is not one number")
            return 1.0 if not rank else float(alpha.item()) / rank
        rank = self._pattern("rank_pattern", module) or self.config.get("r") or rank
        noted = self._pattern("alpha_pattern", module) or self.config.get("lora_alpha", self.config.get("alpha"))
        if noted is None or not rank:
            return 1.0
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in (noted, rank)) or rank < 0:
            raise FileFormatError(f"{self.path}: alpha and rank are noted as {noted!r} and {rank!r}, not as numbers")
        return float(noted) / (math.sqrt(rank) if self.config.get("use_rslora") else rank)

    def _pattern(self, kind: str, module: str) -> Any:
        """PEFT's exceptions for single modules, by the end of their name."""
        patterns = self.config.get(kind) or {}
        if not isinstance(patterns, dict):
            raise FileFormatError(f"{self.path}: {kind} is noted as {patterns!r}, not as an object"[:300])
        return next((value for end, value in patterns.items() if f".{module}".endswith(f".{end.lstrip('^')}")), None)

    def multiply(self, module: str, left: Tensor, right: Tensor) -> tuple[int, int]:
        """The shape of a product.

        Raises:
            FileFormatError: There is none.
        """
        if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0]:
            shapes = f"{list(left.shape)} and {list(right.shape)}"
            raise FileFormatError(f"{self.path}: {module} has matrices of {shapes}, which have no product")
        return left.shape[0], right.shape[1]

    def magnitude(self, module: str, magnitude: Tensor, shape: tuple[int, int]) -> Tensor:
        column = magnitude[:, None] if magnitude.ndim == 1 else magnitude
        if tuple(column.shape) not in ((shape[0], 1), (1, shape[1])):
            raise FileFormatError(f"{self.path}: {module} has magnitudes of {list(magnitude.shape)} for {list(shape)}")
        return column


def _note(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """What diffusers writes into a file's header: PEFT's configuration, the component before its names or not."""
    if DIFFUSERS_NOTE not in metadata:
        return {}
    try:
        config = json.loads(metadata[DIFFUSERS_NOTE])
    except (ValueError, RecursionError) as cause:
        raise FileFormatError(f"{path}: its note {DIFFUSERS_NOTE} is not valid JSON") from cause
    if not isinstance(config, dict):
        raise FileFormatError(f"{path}: its note {DIFFUSERS_NOTE} is not an object")
    return {key.removeprefix("transformer."): value for key, value in config.items()}
