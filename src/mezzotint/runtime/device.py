"""Device and dtype are chosen here, once, at the entry point of a command."""

import os
import shutil
import sys

import torch

from mezzotint.errors import InputError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(name: str | None = None) -> torch.device:
    """The device of that name, or the best one there is: CUDA, then Apple's MPS, then the CPU."""
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as cause:
        reason = str(cause).splitlines()[0]
        raise InputError(f"device {name!r} cannot be used ({reason}); cpu always can") from cause
    return device


def resolve_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """The dtype of that name, or the fastest that is safe on the device.

    bfloat16 on CUDA and on processors whose vector units multiply it, else float32.
    """
    if name is not None:
        if name not in DTYPES:
            raise InputError(f"dtype {name!r} is not known; one of {', '.join(DTYPES)} is")
        return DTYPES[name]
    if device.type == "cuda" or (device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)):
        return torch.bfloat16
    return torch.float32


def check_compiler(device: torch.device) -> None:
    """
    Raises:
        InputError: torch.compile has no C++ compiler to make code for a processor with.
    """
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise InputError(f"compiling needs a C++ compiler, {compiler} is not there; install it, or go without")
