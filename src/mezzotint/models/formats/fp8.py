"""Weights of eight-bit floats: as they are, or with a scale beside them.

A scaled weight is q · scale. ComfyUI's files name the scale `layer.weight_scale`, older ones `layer.scale_weight` with
a tensor `scaled_fp8` as their mark; each is one number, or one for every row. The scales of inputs are for kernels that
multiply in fp8, and are not needed (github.com/comfyanonymous/ComfyUI, QUANTIZATION.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mezzotint.errors import FileFormatError
from mezzotint.models.formats.stored import StoredTensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FLOATS = ("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ")
SCALES = (".weight_scale", ".scale_weight")
NOT_NEEDED = (".input_scale", ".scale_input", ".comfy_quant")
MARK = "scaled_fp8"
ROWS = 64  # that are scaled together, in fp32


def resolve_fp8(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The same weights, scaled where they have a scale; eight-bit floats read as fp32. Companions are gone.

    Raises:
        FileFormatError: A scale has no weight of eight bits, or a form that is not known here.
    """
    scales = {name: scale for name in tensors if (scale := _scale_of(name, tensors)) is not None}
    companions = {name for name in tensors if name.endswith(NOT_NEEDED) or name.split(".")[-1] == MARK} | set(
        scales.values()
    )
    if orphans := [name for name in tensors if name.endswith(SCALES) and name not in companions]:
        raise FileFormatError(f"{orphans[0]} is the scale of a weight that is not there")
    return {
        name: _widened(name, tensor, tensors[scales[name]] if name in scales else None)
        for name, tensor in tensors.items()
        if name not in companions
    }


def _scale_of(name: str, tensors: Mapping[str, StoredTensor]) -> str | None:
    layer = name.removesuffix(".weight")
    return next((layer + scale for scale in SCALES if layer != name and layer + scale in tensors), None)


def _widened(name: str, tensor: StoredTensor, scale: StoredTensor | None) -> StoredTensor:
    if tensor.dtype not in FLOATS:
        if scale is not None:
            raise FileFormatError(f"{name} is {tensor.dtype} with a scale; only eight-bit floats are read with one")
        return tensor
    rows = 1 if scale is None else math.prod(scale.shape)
    if scale is not None and (rows not in (1, *tensor.shape[:1]) or (scale.shape or (1,))[0] != rows):
        raise FileFormatError(f"{name} has a scale of shape {list(scale.shape)}; one number or one a row is read")

    def read(dtype: torch.dtype | None) -> Tensor:
        import torch

        if scale is None:
            return tensor.read(dtype or torch.float32)
        quantised = tensor.read(None).reshape(math.prod(tensor.shape[:1]), math.prod(tensor.shape[1:]))
        factors = scale.read(torch.float32).reshape(-1, 1).expand(len(quantised), 1)
        numbers = torch.empty(quantised.shape, dtype=dtype or torch.float32)
        some = torch.empty(min(ROWS, len(quantised)), quantised.shape[1])  # one place for all: memory stays whole
        for source, factor, target in zip(*(x.split(ROWS) for x in (quantised, factors, numbers)), strict=True):
            target.copy_(some[: len(source)].copy_(source).mul_(factor))
        return numbers.view(tensor.shape)

    return StoredTensor(tensor.dtype, tensor.shape, tensor.nbytes, read)
