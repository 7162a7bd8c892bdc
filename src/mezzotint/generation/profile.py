"""Where the time and the memory of pictures go: each part of a model is timed where it is called."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import nn

ELSE = "everything else"
GIB = 1 << 30


@dataclass
class Spent:
    """What a part took. Seconds are its own: those of parts within it are theirs.

    Attributes:
        memory: The most that was in use while it ran, in bytes, of the device; on a processor what was resident at the
            ends of its calls, of the whole program.
    """

    calls: int = 0
    seconds: float = 0.0
    memory: int = 0


@dataclass
class Profile:
    """What each part took, in the order of their first calls."""

    device: torch.device
    parts: dict[str, Spent] = field(default_factory=dict)
    _running: list[str] = field(default_factory=list)
    _since: float = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What runs inside belongs to this part."""
        self.enter(name)
        try:
            yield
        finally:
            self.leave()

    def enter(self, name: str) -> None:
        self._account()
        self._running.append(name)
        self.parts.setdefault(name, Spent()).calls += 1

    def leave(self) -> None:
        self._account()
        self._running.pop()

    def _account(self) -> None:
        """Time and memory since the last change go to the part that runs."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        if self._running:
            spent = self.parts[self._running[-1]]
            spent.seconds += now - self._since
            spent.memory = max(spent.memory, self._memory())
        self._since = now

    def _memory(self) -> int:
        if self.device.type == "cuda":
            most = torch.cuda.max_memory_allocated(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
            return most
        pages = Path("/proc/self/statm")
        return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0

    def table(self) -> str:
        """A line for each part, with its share of the time."""
        total = sum(spent.seconds for spent in self.parts.values())
        width = max(map(len, self.parts))
        lines = [f"{'part':{width}}  calls   seconds  share  memory, GiB"]
        for name, spent in self.parts.items():
            share = spent.seconds / total if total else 0.0
            lines.append(
                f"{name:{width}}  {spent.calls:5}  {spent.seconds:8.3f}  {share:5.1%}  {spent.memory / GIB:11.2f}"
            )
        lines.append(f"{'all':{width}}  {'':5}  {total:8.3f}")
        return "\n".join(lines)


@contextmanager
def profiling(pipe: Any) -> Iterator[Profile]:
    """Time the parts of a pipeline while it makes pictures; afterwards it is as it was.

    Attention and feed-forward layers are told apart only where they are not compiled together.
    """
    profile = Profile(pipe.device)
    watched = _Watched(profile)
    transformer = pipe.transformer
    watched.method(pipe.text, "encode", "text encoder")
    watched.method(pipe.text, "encode_segments", "text encoder")
    watched.method(pipe.text, "look", "vision tower")
    for refine in ("refine_captions", "embed_captions", "refine"):
        watched.method(transformer, refine, "caption refiner")
    watched.method(transformer, "evaluate", "embeddings, modulation, final layer")
    watched.method(transformer, "stack", _stack_name(transformer))
    watched.method(pipe.autoencoder, "encode", "VAE encoder")
    watched.method(pipe.autoencoder, "decode", "VAE decoder")
    if not pipe.compiled:
        watched.layers(transformer.layers)
    try:
        with profile.part(ELSE):
            yield profile
    finally:
        watched.release()


def _stack_name(transformer: nn.Module) -> Callable[..., str]:
    refiner = getattr(transformer, "noise_refiner", None)
    return lambda blocks, *rest: "noise refiner" if blocks is refiner else "layers"


class _Watched:
    """Methods and modules that a profile follows."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._undo: list[Callable[[], None]] = []

    def method(self, owner: Any, name: str, part: str | Callable[..., str]) -> None:
        """Follow the calls of a method, if there is one; `part` may name them by their arguments."""
        plain = getattr(owner, name, None)
        if plain is None:
            return

        @wraps(plain)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.profile.part(part if isinstance(part, str) else part(*args)):
                return plain(*args, **kwargs)

        was_own = name in vars(owner)
        setattr(owner, name, timed)
        self._undo.append(lambda: setattr(owner, name, plain) if was_own else delattr(owner, name))

    def layers(self, blocks: nn.ModuleList) -> None:
        """Follow the attention and the feed-forward layers of these blocks."""
        for path, module in blocks.named_modules():
            kind = {"attention": "layers: attention", "feed_forward": "layers: feed-forward"}.get(path.split(".")[-1])
            if kind is not None:
                self._follow(module, kind)

    def _follow(self, module: nn.Module, part: str) -> None:
        before = module.register_forward_pre_hook(lambda module, args: self.profile.enter(part))
        after = module.register_forward_hook(lambda module, args, out: self.profile.leave())
        self._undo += [before.remove, after.remove]

    def release(self) -> None:
        for undo in reversed(self._undo):
            undo()
