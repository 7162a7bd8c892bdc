"""How much memory a computation takes, found without doing it: its operations run on tensors that have shapes only."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(compute: Callable[[], object], *, reordered: bool = False) -> int:
    """The most bytes of tensors made in `compute` that exist at one time.

    `compute` works on tensors of the meta device; what is there before it counts nothing. Attention counts as fused
    kernels have it, whose scores are never written out.

    Args:
        reordered: Whether convolutions take copies of their input and output in an order of their own meanwhile, as
            oneDNN's do on a processor.
    """
    tally = _Tally(reordered)
    with _FusedAttention(), tally:
        compute()
    return tally.most


class _Tally(TorchDispatchMode):
    """Adds up the storages of all results while they live."""

    def __init__(self, reordered: bool) -> None:
        super().__init__()
        self.reordered = reordered
        self.now = self.most = 0
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = {id(tensor.untyped_storage()) for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.is_meta and id(tensor.untyped_storage()) not in given:
                self._add(tensor.untyped_storage())
        if self.reordered and func is torch.ops.aten.convolution.default:
            self.most = max(self.most, self.now + args[0].nbytes + result.nbytes)
        return result

    def _add(self, storage: Any) -> None:
        if storage in self._seen:
            return
        self._seen.add(storage)
        nbytes = storage.nbytes()
        self.now += nbytes
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._drop, nbytes)

    def _drop(self, nbytes: int) -> None:
        self.now -= nbytes


class _FusedAttention(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.nn.functional.scaled_dot_product_attention:
            query, _, value = args[:3]
            return query.new_empty(*query.shape[:-1], value.shape[-1])
        return func(*args, **(kwargs or {}))
