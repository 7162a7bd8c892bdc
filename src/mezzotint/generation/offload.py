"""Networks that are on the device only while they run, whole or block by block.

A network's weights have a home: ordinary memory, pinned, for an accelerator; for a processor a file without a name, so
that they cost no memory. They lie there in one piece for each unit that comes and goes together, and come in one copy.
"""

import mmap
import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from typing import Any, NamedTuple, Protocol

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from mezzotint.errors import OutputError
from mezzotint.models.quantization import QuantizedLinear
from mezzotint.runtime.cache import cache_folder

ALIGNMENT = 64  # bytes, so that every kernel takes a tensor that lies among others


class Entry(NamedTuple):
    """A tensor's place in its unit."""

    offset: int
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def nbytes(self) -> int:
        return torch.Size(self.shape).numel() * self.dtype.itemsize

    def of(self, memory: UInt8[Tensor, "bytes"]) -> Tensor:
        return memory[self.offset : self.offset + self.nbytes].view(self.dtype).view(self.shape)


class Unit:
    """Weights that come and go together: a block, or all of a network that is in none."""

    def __init__(self, network: nn.Module, names: Iterable[str], dtype: torch.dtype, device: torch.device) -> None:
        """The network has no weights yet; `dtype` is theirs, except for those that are packed."""
        self.device = device
        self.entries: dict[str, Entry] = {}
        self.nbytes = 0
        for name in names:
            tensor = tensor_of(network, name)
            entry = Entry(self.nbytes, tuple(tensor.shape), dtype_of(network, name, dtype))
            self.entries[name] = entry
            self.nbytes += entry.nbytes + -entry.nbytes % ALIGNMENT
        self.home = home_memory(self.nbytes, device)
        self.tensors: dict[str, Tensor] = {}

    @torch.inference_mode(False)
    def settle(self, memory: UInt8[Tensor, "bytes"]) -> None:
        """The weights are in this memory."""
        for name, tensor in self.tensors.items():
            tensor.data = self.entries[name].of(memory)

    @torch.inference_mode(False)
    def depart(self) -> None:
        """The weights are nowhere but at home: what is left has their shapes and the device."""
        for name, tensor in self.tensors.items():
            entry = self.entries[name]
            tensor.data = torch.empty((), dtype=entry.dtype, device=self.device).expand(entry.shape)


class Home:
    """Where a network's weights lie while they are away: first the unit of what is in no block, then the blocks."""

    def __init__(self, network: nn.Module, dtype: torch.dtype, device: torch.device, *, by_block: bool) -> None:
        self.blocks = top_blocks(network) if by_block else {}
        of_blocks: dict[str, list[str]] = {name: [] for name in self.blocks}
        rest: list[str] = []
        for name in network.state_dict():
            block = next((block for block in of_blocks if name.startswith(f"{block}.")), None)
            owner = network.get_submodule(name.rpartition(".")[0])
            is_layer = isinstance(owner, nn.Linear | QuantizedLinear)  # norms are looked at from outside their block
            (of_blocks[block] if block is not None and is_layer else rest).append(name)
        self.units = [Unit(network, names, dtype, device) for names in (rest, *of_blocks.values())]

    def put(self, name: str, tensor: Tensor) -> Tensor:
        """A weight's place at home, with the weight in it."""
        unit = next(unit for unit in self.units if name in unit.entries)
        place = unit.entries[name].of(unit.home)
        if place.shape != tensor.shape:
            return tensor  # a stranger's; loading says so
        return place.copy_(tensor)

    def move_out(self, network: nn.Module) -> None:
        """The network has its weights at home; from now on they are away."""
        for unit in self.units:
            unit.tensors = {name: tensor_of(network, name) for name in unit.entries}
            unit.depart()


def top_blocks(network: nn.Module) -> dict[str, nn.Module]:
    """The members of a network's stacks, in the order of the stacks' running."""
    stacks = [name for name, module in network.named_modules() if isinstance(module, nn.ModuleList)]
    outer = [name for name in stacks if not any(name.startswith(f"{other}.") for other in stacks)]
    return {f"{name}.{i}": block for name in outer for i, block in enumerate(network.get_submodule(name).children())}


def tensor_of(network: nn.Module, name: str) -> Tensor:
    """A parameter or a buffer."""
    module, _, own = name.rpartition(".")
    return getattr(network.get_submodule(module), own)


def dtype_of(network: nn.Module, name: str, dtype: torch.dtype) -> torch.dtype:
    """What a weight is stored in, where floating ones are stored in `dtype`."""
    module, _, own = name.rpartition(".")
    owner, tensor = network.get_submodule(module), tensor_of(network, name)
    is_packed = isinstance(owner, QuantizedLinear) and own != "bias"
    return dtype if tensor.is_floating_point() and not is_packed else tensor.dtype


def home_memory(nbytes: int, device: torch.device) -> UInt8[Tensor, "bytes"]:
    """Memory that is not the device's.

    Raises:
        OutputError: There is no room for the file, or no right to write it.
    """
    if device.type == "cpu":
        return mapped_memory(nbytes)
    memory = torch.empty(nbytes, dtype=torch.uint8)
    if device.type == "cuda" and nbytes:  # pinned as it is: PyTorch's own pinned memory comes in powers of two
        runtime = torch.cuda.cudart()
        torch.cuda.check_error(runtime.cudaHostRegister(memory.data_ptr(), nbytes, 0))
        weakref.finalize(memory, runtime.cudaHostUnregister, memory.data_ptr()).atexit = False
    return memory


def mapped_memory(nbytes: int) -> UInt8[Tensor, "bytes"]:
    """A file that is gone when nobody needs it, or the process has ended, however it ends."""
    if not nbytes:
        return torch.empty(0, dtype=torch.uint8)
    folder = cache_folder() / "offload"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, nbytes)  # else a full disk ends the process
            file.truncate(nbytes)
            return torch.frombuffer(mmap.mmap(file.fileno(), nbytes), dtype=torch.uint8)
    except OSError as cause:
        raise OutputError(
            f"cannot put {nbytes / 1e6:,.0f} MB of weights into {folder}: {cause.strerror}; "
            "set MEZZOTINT_CACHE to a folder with room, or leave --offload out"
        ) from cause


# Copies that run beside the computing --------------------------------------------------------------


class Copies(Protocol):
    """Copies on their way while something else is computed."""

    def moment(self) -> Any:
        """What is computed up to now."""
        ...

    def start(self, target: Tensor, source: Tensor, after: Any) -> Any:
        """Copy once a moment has passed; returns a ticket."""
        ...

    def wait(self, ticket: Any) -> None:
        """What is computed from now on sees the copy."""
        ...


class StreamCopies:
    """On a CUDA stream of their own."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.stream = device, torch.cuda.Stream(device)

    def moment(self) -> torch.cuda.Event:
        return torch.cuda.current_stream(self.device).record_event()

    def start(self, target: Tensor, source: Tensor, after: torch.cuda.Event) -> torch.cuda.Event:
        self.stream.wait_event(after)
        with torch.cuda.stream(self.stream):
            target.copy_(source, non_blocking=True)
        return self.stream.record_event()

    def wait(self, ticket: torch.cuda.Event) -> None:
        torch.cuda.current_stream(self.device).wait_event(ticket)


class ThreadCopies:
    """On a thread of their own; on a processor nothing is computed later than it is called."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="offload")

    def moment(self) -> None:
        return None

    def start(self, target: Tensor, source: Tensor, after: None) -> "Future[Tensor]":
        return self.pool.submit(target.copy_, source)

    def wait(self, ticket: "Future[Tensor]") -> None:
        ticket.result()


def copies_for(device: torch.device) -> Copies:
    return StreamCopies(device) if device.type == "cuda" else ThreadCopies()


# Coming and going ---------------------------------------------------------------------------------


class Streaming:
    """Blocks that take turns in two places: while one is computed, the next one comes.

    Which one is next is what followed last time; at first, the next in order.
    """

    def __init__(self, units: Sequence[Unit], blocks: Sequence[nn.Module], copies: Copies) -> None:
        self.units, self.copies = units, copies
        self._after = {number: (number + 1) % len(units) for number in range(len(units))}
        self._last: int | None = None
        self._places: list[Tensor] = []
        self._free: list[Any] = []
        self._coming: tuple[int, int, Any] | None = None  # unit, place, ticket
        self._place = 0
        for number, block in enumerate(blocks):
            block.register_forward_pre_hook(self._hook(self.arrive, number))
            block.register_forward_hook(self._hook(self.leave, number))

    def _hook(self, act: Callable[[int], None], number: int) -> Callable[..., None]:
        return torch.compiler.disable(lambda *_: act(number))

    def begin(self) -> None:
        size, device = max(unit.nbytes for unit in self.units), self.units[0].device
        self._places = [torch.empty(size, dtype=torch.uint8, device=device) for _ in range(2)]
        self._free = [self.copies.moment()] * 2
        self._last = None

    def end(self) -> None:
        if self._coming is not None:
            self.copies.wait(self._coming[2])
        self._places, self._free, self._coming = [], [], None

    @torch.inference_mode(False)
    def arrive(self, number: int) -> None:
        if self._coming is not None and self._coming[0] != number:
            self.copies.wait(self._coming[2])
            self._coming = None
        if self._coming is None:
            self._fetch(number)
        assert self._coming is not None
        _, self._place, ticket = self._coming
        self.copies.wait(ticket)
        self.units[number].settle(self._places[self._place])
        if self._last is not None:
            self._after[self._last] = number
        self._last, self._coming = number, None
        self._fetch(self._after[number])

    def leave(self, number: int) -> None:
        self._free[self._place] = self.copies.moment()
        self.units[number].depart()

    def _fetch(self, number: int) -> None:
        """Send for a unit, to the place that is not computed from."""
        place, unit = 1 - self._place, self.units[number]
        ticket = self.copies.start(self._places[place][: unit.nbytes], unit.home, self._free[place])
        self._coming = number, place, ticket


class Guest:
    """A network that is on its device only while it is used."""

    def __init__(self, network: nn.Module, home: Home, copies: Copies) -> None:
        self.rest, *blocks = home.units
        self.streaming = Streaming(blocks, list(home.blocks.values()), copies) if blocks else None
        self.network = network
        self.is_here = False

    @torch.inference_mode(False)
    def enter(self) -> None:
        memory = torch.empty(self.rest.nbytes, dtype=torch.uint8, device=self.rest.device)
        self.rest.settle(memory.copy_(self.rest.home))
        if self.streaming is not None:
            self.streaming.begin()
        self.is_here = True

    def leave(self) -> None:
        if self.streaming is not None:
            self.streaming.end()
        self.rest.depart()
        self.is_here = False
        if self.rest.device.type == "cuda":
            torch.cuda.empty_cache()


class Turns:
    """Networks that share a device: one comes when it is used, and the one before goes."""

    def __init__(self, device: torch.device) -> None:
        self.copies = copies_for(device)
        self._here: Guest | None = None

    def invite(self, network: nn.Module, home: Home, methods: Iterable[str], *, stays: bool) -> None:
        """From now on the network comes when one of its methods is called; it `stays` until another one comes."""
        guest = Guest(network, home, self.copies)
        for name in methods:
            if hasattr(network, name):
                setattr(network, name, self._visiting(getattr(network, name), guest, stays))

    def _visiting(self, method: Callable[..., Any], guest: Guest, stays: bool) -> Callable[..., Any]:
        @wraps(method)
        def visit(*args: Any, **kwargs: Any) -> Any:
            if guest.is_here:
                return method(*args, **kwargs)
            if self._here is not None:
                self._here.leave()
            self._here = guest
            guest.enter()
            try:
                return method(*args, **kwargs)
            finally:
                if not stays:
                    guest.leave()
                    self._here = None

        return visit
