"""Whether a model can be placed as asked, and where it goes when only its memory is given."""

from dataclasses import replace

import torch

from mezzotint.errors import InputError
from mezzotint.generation.loading import has_blocks
from mezzotint.generation.memory_plan import Plan, Workload, parse_memory, plan_memory
from mezzotint.generation.model_kinds import model_class
from mezzotint.generation.placement import Placement
from mezzotint.generation.settings import read_defaults
from mezzotint.models.quantization import STORED
from mezzotint.models.sources import Sources
from mezzotint.runtime.device import check_compiler
from mezzotint.runtime.memory import free_bytes

FREE = "free"  # as a size of memory: what there is
SMALL = 0.02  # a model whose files are less than this share of the free memory fits without a plan


def check_placement(placement: Placement, sources: Sources, device: torch.device, *, compile: bool) -> None:
    """
    Raises:
        InputError: What is asked for does not go together, or has no compiler, or no blocks of its own to keep.
    """
    if compile and placement.transformer_leaves:
        raise InputError(f"offload {placement.offload} moves the transformer, and compiled code wants it in one place")
    if compile:
        check_compiler(device)
    if placement.quantize == STORED and not has_blocks(sources):
        raise InputError(f"{sources.name} has no quantised blocks: quantise {STORED} is for GGUF files")


def plan_placement(
    sources: Sources,
    device: torch.device,
    dtype: torch.dtype,
    memory: str | int | None,
    quantize: str | None,
    offload: str | None,
    workload: Workload | None,
    *,
    compile: bool,
) -> Plan | None:
    """How a model fits; None where nobody asks, or it is small beside what is free."""
    if memory is None:
        return None
    model_class(sources)
    most = None if memory == FREE else parse_memory(memory) if isinstance(memory, str) else memory
    if most is None and sources.nbytes < SMALL * free_bytes(device):
        return None
    if workload is None:
        defaults = read_defaults(sources.folder)
        workload = Workload(width=defaults.width, height=defaults.height)
    work = replace(workload, compiled=compile)
    return plan_memory(sources, device, dtype, work, memory=most, quantize=quantize, offload=offload)
