"""One network under training: working weights, fp32 masters, optimiser moments, running average, counters."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mezzotint.errors import FileFormatError
from mezzotint.training.data_parallel import ALONE, Peers
from mezzotint.training.learning_rate import Schedule
from mezzotint.training.muon import Muon
from mezzotint.training.optimizers import OptimizerConfig


def average_decay(step: int, limit: float) -> float:
    """The running average's decay: (1 + step) / (10 + step), so that early weights are forgotten, up to `limit`."""
    return min(limit, (1 + step) / (10 + step))


class TrainState:
    """What a training step changes, and all that a checkpoint has to hold.

    The module works in `dtype`; the optimiser moves fp32 master weights, which are then rounded into it. With
    `dtype` float32 the masters *are* the module's weights.

    Attributes:
        module: The network, in train mode, on `device`.
        masters: Name to fp32 master weight, for every parameter that asks for a gradient.
        average: Name to fp32 running average of the master.
        step: Steps done. samples: Pictures or captions seen. seconds: Time spent training, over all resumes.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        optimizer: OptimizerConfig,
        schedule: Schedule,
        clip: float,
        average: float,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.module: Any = module.to(device, torch.float32).train()  # an objective knows whose methods it calls
        self.device, self.dtype = device, dtype
        self.schedule, self.clip, self.average_limit = schedule, clip, average
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        if dtype == torch.float32:
            self.masters: dict[str, Tensor] = dict(trained)
        else:
            self.masters = {name: p.detach().clone() for name, p in trained.items()}
            module.to(dtype)
        self._working: list[Tensor] = list(trained.values())
        self.average = {name: master.detach().clone() for name, master in self.masters.items()}
        self.optimizers = optimizer.build(self.masters)
        self.step, self.samples, self.seconds = 0, 0, 0.0
        self.peers = ALONE

    def join(self, peers: Peers) -> None:
        """From now on, take steps down the mean gradient of all processes, which must hold the same state."""
        self.peers = peers
        for optimizer in self.optimizers:
            if isinstance(optimizer, Muon):
                optimizer.group = peers.group

    @torch.no_grad()
    def update(self) -> Tensor:
        """Apply the gradients that the module holds and clear them.

        Returns: the gradient's norm before clipping (0-d, fp32).
        """
        masters = list(self.masters.values())
        self.peers.average(self._working)
        self._lift_gradients()
        norm = nn.utils.clip_grad_norm_([m for m in masters if m.grad is not None], self.clip)
        factor = self.schedule(self.step)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self._lower_weights(self.masters)
        torch._foreach_lerp_(list(self.average.values()), masters, 1.0 - average_decay(self.step, self.average_limit))
        return norm

    def backward_and_update(self, loss: Tensor) -> Tensor:
        """One optimiser step down the gradient of a scalar `loss`; returns the gradient's norm before clipping."""
        loss.backward()
        return self.update()

    def learning_rate(self, step: int) -> float:
        """Of the first parameter group."""
        return float(self.optimizers[0].param_groups[0]["peak_lr"]) * self.schedule(step)

    @contextmanager
    def averaged(self) -> Iterator[Any]:
        """The module in eval mode with the running average as its weights; after the block all is as before."""
        kept = [parameter.detach().clone() for parameter in self._working]
        self._lower_weights(self.average, always=True)
        try:
            yield self.module.eval()
        finally:
            self._copy(self._working, kept)
            self.module.train()

    def averaged_weights(self) -> dict[str, Tensor]:
        """The module's whole state dict with the running average (fp32) in place of the trained weights."""
        averages = dict(zip(map(id, self._working), self.average.values(), strict=True))
        held = self.module.state_dict(keep_vars=True)
        return {name: averages.get(id(value), value.detach()) for name, value in held.items()}

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that a resumed run needs, by name."""
        held = {f"master.{name}": master.detach() for name, master in self.masters.items()}
        held |= {f"average.{name}": value for name, value in self.average.items()}
        held |= {f"buffer.{name}": value for name, value in self._buffers().items()}
        names = {id(master): name for name, master in self.masters.items()}
        for optimizer in self.optimizers:
            for master, moments in optimizer.state.items():
                held |= {f"optimizer.{key}.{names[id(master)]}": value for key, value in moments.items()}
        return held

    @torch.no_grad()
    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors()` of an equal state gave.

        Raises:
            FileFormatError: Names or shapes are not this network's.
        """
        fixed = {"master": self.masters, "average": self.average, "buffer": self._buffers()}
        for kind, place in fixed.items():
            for name, target in place.items():
                source = tensors.get(f"{kind}.{name}")
                if source is None or source.shape != target.shape:
                    found = "missing" if source is None else f"of shape {tuple(source.shape)}"
                    raise FileFormatError(f"{kind}.{name} is {found}, this recipe needs {tuple(target.shape)}")
                target.copy_(source)
        self._load_moments(tensors)
        self._lower_weights(self.masters)

    def _load_moments(self, tensors: Mapping[str, Tensor]) -> None:
        moments: dict[str, dict[str, Tensor]] = {}
        for full, value in tensors.items():
            kind, _, rest = full.partition(".")
            if kind == "optimizer":
                key, _, name = rest.partition(".")
                moments.setdefault(name, {})[key] = value.to(self.device)
        names = {id(master): name for name, master in self.masters.items()}
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                for master in group["params"]:
                    if names[id(master)] in moments:
                        optimizer.state[master] = moments[names[id(master)]]

    def _buffers(self) -> dict[str, Tensor]:
        """Persistent buffers, such as a batch norm's running mean."""
        parameters = dict(self.module.named_parameters(remove_duplicate=False))
        return {name: value for name, value in self.module.state_dict().items() if name not in parameters}

    def _lift_gradients(self) -> None:
        """Working gradients become the masters' fp32 gradients."""
        if self.dtype == torch.float32:
            return
        for working, master in zip(self._working, self.masters.values(), strict=True):
            master.grad = None if working.grad is None else working.grad.float()
            working.grad = None

    def _lower_weights(self, source: Mapping[str, Tensor], always: bool = False) -> None:
        """Round fp32 weights into the module (nothing to do where the masters are its weights)."""
        if always or self.dtype != torch.float32:
            self._copy(self._working, list(source.values()))

    @staticmethod
    @torch.no_grad()
    def _copy(targets: list[Tensor], sources: list[Tensor]) -> None:
        torch._foreach_copy_(targets, sources)
