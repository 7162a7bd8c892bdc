"""Compiling what a model runs at every step, whichever kind of network it is."""

from typing import Any

from torch import nn

from mezzotint.models.adapters.control import ControlNet
from mezzotint.models.adapters.control import compiled as control_compiled
from mezzotint.models.cuda_graphs import Graphed
from mezzotint.models.dual_stream import DualStreamTransformer
from mezzotint.models.dual_stream import compiled as dual_stream_compiled
from mezzotint.models.single_stream import SingleStreamTransformer
from mezzotint.models.single_stream import compiled as single_stream_compiled


def compile_network(network: nn.Module, *, frozen: bool) -> None:
    """Compile its steps at their first use, for every size; `frozen`: see `models.compiling`."""
    match network:
        case SingleStreamTransformer():
            single_stream_compiled.compile_steps(network, frozen=frozen)
        case DualStreamTransformer():
            dual_stream_compiled.compile_steps(network, frozen=frozen)
        case ControlNet():
            control_compiled.compile_steps(network, frozen=frozen)
        case _:
            raise AssertionError(f"{type(network).__name__} is no network of a model")


def forget_graphs(network: Any) -> None:
    """Record CUDA graphs anew: the weights have changed."""
    if isinstance(network.stack, Graphed):
        network.stack.forget()
