"""Softmax attention among equally long sequences, by the kernel that is the fastest.

On an accelerator that depends on the device, the dtype and the shape: the first call of each class of shapes times all
kernels that are installed and can run it, and the fastest serves the class from then on. On a processor the rule is
fixed, so that a run repeats itself to the last bit: plain products up to SHORT tokens, else PyTorch's fused attention.
So it is where gradients are wanted, since a resumed training must repeat itself too.
"""

import time
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

SHORT = 512  # tokens; up to it, plain products beat PyTorch's fused attention on a CPU, in bf16 backward 3 to 5 times
MATH_AT_MOST = 2048  # tokens; beyond, the scores of kernels that write them out take gigabytes
WARM_UP, TIMED = 2, 5  # calls

Kernel = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(q, k, v) -> mixed values, all "s n head e"."""


class ShapeClass(NamedTuple):
    """Calls for which one measurement is enough. `sequences` and `tokens` are rounded up to powers of two."""

    device: torch.device
    dtype: torch.dtype
    heads: int
    channels: int
    sequences: int
    tokens: int


def attend_equal(
    q: Float[Tensor, "s n head e"], k: Float[Tensor, "s n head e"], v: Float[Tensor, "s n head e"]
) -> Float[Tensor, "s n head e"]:
    """Softmax attention within each of some equally long sequences."""
    if q.device.type == "cpu":
        return plain(q, k, v) if q.shape[1] <= SHORT else fused(q, k, v)
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return fused(q, k, v)
    return fastest(q, k, v)(q, k, v)


def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Two products and a softmax between, which sums in fp32 whatever the dtype."""
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    return (torch.softmax(scores, dim=-1) @ v).transpose(1, 2)


def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """PyTorch's own choice among its fused kernels."""
    return F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)


def _backend(backend: SDPBackend) -> Kernel:
    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        with sdpa_kernel(backend):
            return fused(q, k, v)

    return run


def installed_kernels() -> dict[str, Kernel]:
    """All that this machine has, whatever they can run. FlashAttention's packages take "s n head e" as it is."""
    kernels = {
        "plain": plain,
        "math": _backend(SDPBackend.MATH),
        "efficient": _backend(SDPBackend.EFFICIENT_ATTENTION),
        "flash": _backend(SDPBackend.FLASH_ATTENTION),
        "cudnn": _backend(SDPBackend.CUDNN_ATTENTION),
    }
    for name, package in (("flash 2", "flash_attn"), ("flash 3", "flash_attn_interface")):
        if find_spec(package):
            kernels[name] = _package(import_module(package).flash_attn_func)
    return kernels


def _package(function: Callable[..., Tensor | tuple[Tensor, ...]]) -> Kernel:
    """FlashAttention 3 answers, in some of its versions, with the sums of the softmax too."""

    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        mixed = function(q, k, v)
        return mixed if isinstance(mixed, Tensor) else mixed[0]

    return run


_fastest: dict[ShapeClass, tuple[str, Kernel]] = {}


def fastest(q: Tensor, k: Tensor, v: Tensor) -> Kernel:
    """The kernel of the call's class; measured on these very tensors if the class is new.

    While a CUDA graph is recorded nothing can be measured: a new class then has PyTorch's own choice.
    """
    kind = class_of(q)
    if kind not in _fastest:
        if q.is_cuda and torch.cuda.is_current_stream_capturing():
            return fused
        kernels = installed_kernels()
        took = measure(kernels, q, k, v)
        name = min(took, key=took.__getitem__)
        _fastest[kind] = name, kernels[name]
    return _fastest[kind][1]


def chosen() -> dict[ShapeClass, str]:
    """The name of the kernel of every class so far."""
    return {kind: name for kind, (name, _) in _fastest.items()}


def class_of(q: Float[Tensor, "s n head e"]) -> ShapeClass:
    sequences, tokens, heads, channels = q.shape
    return ShapeClass(q.device, q.dtype, heads, channels, _power_of_two(sequences), _power_of_two(tokens))


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


def measure(kernels: dict[str, Kernel], q: Tensor, k: Tensor, v: Tensor) -> dict[str, float]:
    """Seconds of a call of each kernel that can run it."""
    took = {}
    for name, kernel in kernels.items():
        if name in ("plain", "math") and q.shape[1] > MATH_AT_MOST:
            continue
        try:
            with warnings.catch_warnings():  # PyTorch says at length why a kernel cannot run
                warnings.simplefilter("ignore")
                took[name] = _seconds(kernel, q, k, v)
        except (RuntimeError, TypeError):  # a dtype, a width of head or a device that it was not made for
            continue
    return took


def _seconds(kernel: Kernel, q: Tensor, k: Tensor, v: Tensor) -> float:
    for _ in range(WARM_UP):
        kernel(q, k, v)
    _wait(q.device)
    start = time.perf_counter()
    for _ in range(TIMED):
        kernel(q, k, v)
    _wait(q.device)
    return (time.perf_counter() - start) / TIMED


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
