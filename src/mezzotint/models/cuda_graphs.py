"""Stacks of blocks recorded as CUDA graphs: a replay spares the processor hundreds of launches of small kernels.

That pays where kernels are shorter than their launches, so small batches only are recorded, and a recording is kept
only if it turns out to be faster than running.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

SMALL = 1 << 22  # numbers in the tokens; beyond, kernels of any width take longer than their launches
KEPT = 8  # recordings, each of which has its own memory
WARM_UP, TIMED = 3, 5  # calls
Key = tuple[Any, ...]
GAIN = 0.97  # of the running time: what a replay must stay below


class Graphed:
    """Either network's `Stack`, replayed from the third call for the same sizes on."""

    def __init__(self, stack: Callable[..., Any]) -> None:
        self.stack = stack
        self._seen: OrderedDict[Key, tuple[Any, ...]] = OrderedDict()
        self._recordings: OrderedDict[Key, _Recording | None] = OrderedDict()

    def __call__(self, blocks: nn.ModuleList, x: Tensor, *args: Any) -> Any:
        """What the stack gives; among its arguments are tensors, and what depends on sizes only."""
        inputs = [x, *(arg for arg in args if isinstance(arg, Tensor))]
        hints = [arg for arg in args if isinstance(arg, Mapping)]
        sizes = [arg for arg in args if not isinstance(arg, Tensor | Mapping)]
        if not x.is_cuda or x.numel() > SMALL or any(hints) or torch.is_grad_enabled():
            return self.stack(blocks, x, *args)
        key = (id(blocks), *map(id, sizes), *((tensor.shape, tensor.dtype) for tensor in inputs))
        if key in self._recordings:
            recording = self._recordings[key]
            return self.stack(blocks, x, *args) if recording is None else recording.replay(inputs)
        if key in self._seen:
            _put(self._recordings, key, _worthwhile(self.stack, blocks, inputs, [*sizes, *hints]))
        else:
            _put(self._seen, key, (blocks, *sizes))  # kept, so that nothing else can have their ids
        return self.stack(blocks, x, *args)

    def forget(self) -> None:
        """Record anew: weights lie elsewhere, or code has changed."""
        self._recordings.clear()


def _put(kept: OrderedDict[Key, Any], key: Key, value: Any) -> None:
    kept[key] = value
    if len(kept) > KEPT:
        kept.popitem(last=False)


class _Recording:
    """One graph with the memory that it reads and writes."""

    def __init__(
        self, stack: Callable[..., Any], blocks: nn.ModuleList, inputs: list[Tensor], sizes: list[Any]
    ) -> None:
        self.inputs = [tensor.clone() for tensor in inputs]
        self.named = (blocks, *sizes)  # kept, so that nothing else can have the ids in its key
        self.run = lambda: stack(blocks, *self.inputs, *sizes)
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):  # compiles, and measures attention, before anything is recorded
            for _ in range(WARM_UP):
                self.run()
        torch.cuda.current_stream().wait_stream(beside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.out = self.run()

    def replay(self, inputs: list[Tensor]) -> Any:
        for own, tensor in zip(self.inputs, inputs, strict=True):
            own.copy_(tensor)
        self.graph.replay()
        return self.out.clone() if isinstance(self.out, Tensor) else tuple(tensor.clone() for tensor in self.out)


def _worthwhile(
    stack: Callable[..., Any], blocks: nn.ModuleList, inputs: list[Tensor], sizes: list[Any]
) -> _Recording | None:
    """A recording, if its replay is faster than running."""
    recording = _Recording(stack, blocks, inputs, sizes)
    replayed, run = _seconds(lambda: recording.replay(inputs)), _seconds(recording.run)
    return recording if replayed < GAIN * run else None


def _seconds(call: Callable[[], Any]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(TIMED):
        call()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / TIMED
