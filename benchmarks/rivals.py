"""The same random weights in mezzotint's and in diffusers' network, and calls that make the same picture with them."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from diffusers import ZImageTransformer2DModel
from torch import Tensor, nn

from mezzotint.flow.schedules import static_shift
from mezzotint.generation.compiling import compile_network
from mezzotint.models.quantization.formats import FORMATS, quantizable
from mezzotint.models.single_stream import (
    MINI,
    Z_IMAGE_6B,
    SingleStreamConfig,
    SingleStreamTransformer,
    to_published,
)

# Sixteen layers and two refiners of this width are a network of 1B parameters; four show as much, in less time.
WIDE = replace(Z_IMAGE_6B, dim=2048, n_heads=16, n_layers=4, n_refiner_layers=1)
TINY = replace(MINI, dim=128, n_heads=2, n_layers=2, n_refiner_layers=1)
CAPTION = 64  # tokens
SHIFT = 3.0
Call = Callable[[], Tensor]


@torch.no_grad()
def random_network(config: SingleStreamConfig, device: torch.device, dtype: torch.dtype) -> SingleStreamTransformer:
    """Matrices that keep their input's size, gates and pads near zero, norms of one."""
    with torch.device("meta"):
        network = SingleStreamTransformer(config)
    network = network.to(dtype).to_empty(device=device).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=parameter.shape[-1] ** -0.5)
        else:
            parameter.fill_(1.0 if "norm" in name else 0.02)
    return network


def diffusers_network(ours: SingleStreamTransformer) -> Any:
    """diffusers' with a copy of these weights."""
    with torch.device("meta"):
        theirs = ZImageTransformer2DModel.from_config(ours.config.to_json())
    theirs.load_state_dict(to_published(ours.state_dict(), ours.config), assign=True)
    return theirs.eval().requires_grad_(False)


@torch.no_grad()
def quantized(network: SingleStreamTransformer, name: str) -> SingleStreamTransformer:
    """A copy whose large matrices are in that format."""
    network = copy.deepcopy(network)
    for layer, linear in quantizable(network).items():
        with linear.weight.device:
            packed = FORMATS[name](linear.in_features, linear.out_features, linear.bias is not None)
        for key, value in packed.pack(linear.weight).items():
            setattr(packed, key, value)
        network.set_submodule(layer, packed)
    return network


class Picture:
    """One batch of pictures of some size, from noise, in so many evaluations without guidance."""

    def __init__(self, network: nn.Module, config: SingleStreamConfig, side: int, batch: int, steps: int) -> None:
        weight = network.get_parameter("patch_embedding.weight")
        self.device, self.dtype, self.side, self.batch = weight.device, weight.dtype, side, batch
        generator = torch.Generator().manual_seed(0)
        latents = torch.randn(batch, config.in_channels, side // 8, side // 8, generator=generator)
        features = torch.randn(batch, CAPTION, config.cap_feat_dim, generator=generator)
        self.latents = latents.to(self.device)
        self.features = list(features.to(self.device, self.dtype))
        self.sigmas = static_shift(steps, SHIFT).tolist()

    @property
    def patches(self) -> int:
        return (self.side // 16) ** 2

    def by_mezzotint(self, network: SingleStreamTransformer) -> Call:
        with torch.inference_mode():
            captions = network.refine_captions(self.features)
        return self._call(lambda x, t: network(x, t, captions))

    def by_diffusers(self, network: Any) -> Call:
        def velocity(x: Tensor, t: Tensor) -> Tensor:
            frames = list(x.to(self.dtype)[:, :, None])
            return torch.stack(network(frames, t.expand(self.batch), self.features, return_dict=False)[0])[:, :, 0]

        return self._call(velocity)

    def _call(self, velocity: Callable[[Tensor, Tensor], Tensor]) -> Call:
        @torch.inference_mode()
        def call() -> Tensor:
            x = self.latents
            for sigma, sigma_next in pairwise(self.sigmas):
                t = x.new_full((1,), 1 - sigma)
                x = x + (sigma - sigma_next) * velocity(x, t).float()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            return x

        return call


def rivals(
    network: SingleStreamTransformer, theirs: Any, compiled: Mapping[str, Any], picture: Picture
) -> dict[str, Call]:
    """Every one that takes part, by its name."""
    return {
        "mezzotint": picture.by_mezzotint(network),
        "compiled": picture.by_mezzotint(compiled["mezzotint"]),
        "diffusers": picture.by_diffusers(theirs),
        "diffusers compiled": picture.by_diffusers(compiled["diffusers"]),
    }


def compiled_copies(network: SingleStreamTransformer, theirs: Any) -> dict[str, Any]:
    """Both as their makers compile them, over the same memory.

    On a processor diffusers' is fastest as one graph; on an accelerator its users compile the repeated blocks.
    """
    on_cpu = next(theirs.parameters()).device.type == "cpu"
    ours, peer = shared_copy(network), shared_copy(theirs)
    compile_network(ours, frozen=on_cpu)
    if on_cpu:
        peer = torch.compile(peer)
    else:
        peer.compile_repeated_blocks(fullgraph=True)
    return {"mezzotint": ours, "diffusers": peer}


def shared_copy(network: Any) -> Any:
    """Another network of the same parameters, which can be compiled without compiling this one."""
    memo: dict[int, Any] = {id(parameter): parameter for parameter in (*network.parameters(), *network.buffers())}
    return copy.deepcopy(network, memo)
