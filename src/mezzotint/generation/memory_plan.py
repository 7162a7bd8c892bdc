"""How a model fits into a device's memory: predicted from its configurations and shapes alone, before it is loaded.

A model's networks are built without weights, and what they do is traced on tensors that have shapes only
(`runtime.peak`). A plan's peak is what the process has already, and the largest of what each phase needs: loading,
reading the prompts, a step, decoding.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mezzotint.errors import InputError
from mezzotint.generation import loading, loading_qwen_image
from mezzotint.generation.batches import decoded_together, sampled_together
from mezzotint.generation.limits import check_size, most_tokens
from mezzotint.generation.offload import dtype_of, top_blocks
from mezzotint.generation.placement import OFFLOADS, Placement
from mezzotint.generation.settings import QWEN_IMAGE_PIPELINE
from mezzotint.generation.tiling import TILE, decode_in_tiles
from mezzotint.models.bundle import INDEX, read_json
from mezzotint.models.dual_stream import DualStreamTransformer
from mezzotint.models.quantization import STORED, PackedLinear, QuantizedLinear
from mezzotint.models.quantization.stored_blocks import StoredBlocksLinear
from mezzotint.models.sources import Sources
from mezzotint.runtime.memory import KEPT, free_bytes, used_bytes
from mezzotint.runtime.peak import peak_bytes

UNITS = {"": 1, "B": 1, "MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}
# What is tried in turn where nothing else is said: formats from the most exact, those that multiply as fast as may be.
EIGHT_BITS = {"cuda": "fp8", "cpu": "int8"}
FOUR_BITS = "svdquant"
LOADED = ("transformer", "vae", "text_encoder")  # in the order of `loading.load_components`
IN_FILES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}
SHARE = 0.95  # of free memory that a plan may fill: allocators round up


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What is asked of a model, as far as it decides about memory.

    Attributes:
        pictures: That are asked for at once; None: as many as go through the network together.
        branches: 2 with guidance.
        tokens: Of the longest prompt, about; what a model does not take counts nothing.
        compiled: Whether the transformer is: then it stays on the device, and a processor has its weights once more,
            as far as they are not quantised.
    """

    width: int
    height: int
    pictures: int | None = None
    branches: int = 2
    tokens: int = 64
    compiled: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A placement, how pictures are sampled and decoded, and what that takes of the device's memory.

    Attributes:
        together: Pictures that are sampled together, at most.
        tile: Side of a tile in latent pixels; None decodes whole.
        phases: Bytes of each phase of the work, what the process has already included.
        most: The bytes that are to be had.
    """

    placement: Placement
    together: int
    tile: int | None
    phases: dict[str, int]
    most: int

    @property
    def peak(self) -> int:
        return max(self.phases.values())

    @property
    def fits(self) -> bool:
        return self.peak <= self.most

    def __str__(self) -> str:
        weights = self.placement.quantize or "weights as they are"
        several = "" if self.together == 1 else f", {self.together} pictures at a time"
        tiles = "" if self.tile is None else ", decoded in tiles"
        phase = max(self.phases, key=self.phases.__getitem__)
        return (
            f"plan: {weights}, offload {self.placement.offload}{several}{tiles}: "
            f"{self.peak / 1e9:.2f} GB at most ({phase}) of {self.most / 1e9:.2f} GB"
        )


def parse_memory(text: str) -> int:
    """Bytes of `8GB`, `7.5 GiB`, `900MB`.

    Raises:
        InputError: It says something else.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if found is None or found[2].upper() not in UNITS or not float(found[1]):
        raise InputError(f"memory is {text!r}; it must be like 8GB")
    return int(float(found[1]) * UNITS[found[2].upper()])


def room(device: torch.device) -> int:
    """Bytes of the device that a process may have where nobody says how many: what it has, and most of what is free."""
    return int(free_bytes(device) * SHARE + used_bytes(device))


def plan_memory(
    sources: Sources,
    device: torch.device,
    dtype: torch.dtype,
    workload: Workload,
    *,
    memory: int | None = None,
    quantize: str | None = None,
    offload: str | None = None,
) -> Plan:
    """The most exact and then the fastest way in which a model fits.

    Args:
        memory: Bytes of the device that the process may have; None: what is free.
        quantize, offload: What is already decided (`Placement`).

    Raises:
        InputError: It fits in no way that was left open, or the model cannot make a picture of this size.
        MissingFileError, FileFormatError: As for loading it.
    """
    most = room(device) if memory is None else memory
    best: Plan | None = None
    outlines: dict[str | None, Outline] = {}
    for placement in candidates(sources, device, quantize, offload, stays=workload.compiled):
        outline = outlines.setdefault(placement.quantize, Outline(sources, device, dtype, workload, placement.quantize))
        for tile, together in product((None, TILE), dict.fromkeys((outline.together, 1))):
            phases = outline.phases(placement, together, tile)
            plan = Plan(placement=placement, together=together, tile=tile, phases=phases, most=most)
            if plan.fits:
                return plan
            best = plan if best is None or plan.peak < best.peak else best
    assert best is not None
    is_open = quantize is None and offload is None
    raise InputError(
        f"{sources.name} does not fit into {most / 1e9:.2f} GB: it takes {best.peak / 1e9:.2f} GB with "
        f"{best.placement.quantize or 'weights as they are'} and offload {best.placement.offload}; "
        f"a smaller picture {'' if is_open else 'or another --quantize or --offload '}may do"
    )


def candidates(
    sources: Sources, device: torch.device, quantize: str | None, offload: str | None, *, stays: bool
) -> Iterator[Placement]:
    """Ways to try, the best first: exact weights on the device; fewer bits; at last block by block.

    Where the transformer `stays`, the text encoder may leave alone.
    """
    blocks = [STORED] if loading.has_blocks(sources) else []
    formats = [None, *blocks, EIGHT_BITS.get(device.type, "int8"), FOUR_BITS] if quantize is None else [quantize]
    whole, by_block = list(OFFLOADS)[:-1], list(OFFLOADS)[-1]
    if stays or "controlnet" in sources.components:
        whole, by_block = ["none", "text-encoder"], "text-encoder"
    for name in formats:
        for way in whole if offload is None else [offload]:
            yield Placement(quantize=name, offload=way)
    if offload is None:
        for name in formats:
            yield Placement(quantize=name, offload=by_block)


class Outline:
    """A model's networks in one format, without weights, and what they need."""

    def __init__(
        self, sources: Sources, device: torch.device, dtype: torch.dtype, workload: Workload, quantize: str | None
    ) -> None:
        self.device, self.dtype, self.work = device, dtype, workload
        self.frozen = workload.compiled and device.type == "cpu" and quantize is None
        self.base = used_bytes(device) + (KEPT // 2 if device.type == "cpu" else 0)  # half of the most, measured
        placement = Placement(quantize=quantize)
        opened = open_networks(sources, placement)
        self.networks: dict[str, Any] = {name: shapes_in(one.network, dtype) for name, one in opened.items()}
        self.tokens = min(workload.tokens, most_tokens(self.networks["transformer"]))
        # What needs no change stays in its file, of which a processor takes what it looks at.
        self.mapped = {
            name: {key for key, stored in one.unchanged.items() if stored.mapped and stored.dtype == IN_FILES[dtype]}
            for name, one in opened.items()
            if device.type == "cpu"
        }
        further = [path for name, path in sources.components.items() if name not in self.networks]
        self.further = sum(file.stat().st_size for path in further for file in _files(path))

    def phases(self, placement: Placement, together: int, tile: int | None) -> dict[str, int]:
        """Bytes of the device in each phase, with so many pictures `together`.

        Raises:
            InputError: The model cannot make a picture of this size.
        """
        leaves = {
            "text_encoder": placement.text_leaves,
            "transformer": placement.transformer_leaves,
            "vae": placement.transformer_leaves,
        }
        always = self.base + self.further
        always += sum(self.resident(name) for name in self.networks if not leaves[name])

        def during(name: str, work: int) -> int:
            by_block = placement.by_block and name != "vae"
            return always + work + (self.bytes_of(name, by_block) if leaves[name] else 0)

        code = self.bytes_of("transformer", False) if self.frozen else 0
        return {
            "loading": self.loading(leaves),
            "reading the prompts": during("text_encoder", self.reading(together)),
            "a step": during("transformer", self.step(together)) + code,
            "decoding": during("vae", self.decoding(together, tile)) + code,
        }

    def resident(self, name: str) -> int:
        """A network's weights that are on the device all the time."""
        mapped = self.mapped.get(name, set())
        return sum(x.nbytes for key, x in self.networks[name].state_dict().items() if key not in mapped)

    def bytes_of(self, name: str, by_block: bool) -> int:
        """A network's weights that are on the device while it runs."""
        network = self.networks[name]
        total = sum(tensor.nbytes for tensor in network.state_dict().values())
        if not by_block:
            return total
        blocks = [
            sum(tensor.nbytes for layer in _layers(block) for tensor in layer.state_dict().values())
            for block in top_blocks(network).values()
        ]
        return total - sum(blocks) + 2 * max(blocks, default=0)

    def loading(self, leaves: Mapping[str, bool]) -> int:
        """Networks come one after another; of each, the largest matrix takes more while it is packed."""
        here = most = self.base + self.further
        for name in LOADED:
            here += 0 if leaves[name] else self.resident(name)
            most = max(most, here + self.packing[name])
        return most

    @cached_property
    def packing(self) -> dict[str, int]:
        """What the largest matrix of each network takes while it is made of its parts and packed."""
        return {name: packing_bytes(network) for name, network in self.networks.items()}

    @cached_property
    def together(self) -> int:
        """Pictures that go through the transformer together where nothing stands against it."""
        patch, work = self.downscale * self.networks["transformer"].config.patch_size, self.work
        tokens = max(1, (work.height // patch) * (work.width // patch))
        most = sampled_together(self.device, tokens * work.branches)
        return most if work.pictures is None else min(most, work.pictures)

    @cache  # noqa: B019  # an outline lives as long as the planning
    def reading(self, together: int) -> int:
        """Each picture has a prompt of its own, at most."""
        tower = self.networks["text_encoder"]
        ids = torch.zeros(together * self.work.branches, self.tokens, dtype=torch.long, device="meta")
        if hasattr(tower, "features"):
            return self._traced(lambda: tower.features(ids))
        embedded = torch.empty(*ids.shape, tower.config.language.hidden_size, dtype=self.dtype, device="meta")
        places = ids.expand(3, *ids.shape)
        return self._traced(lambda: tower.language(inputs_embeds=embedded, position_ids=places, use_cache=False))

    @cache  # noqa: B019
    def step(self, together: int) -> int:
        network, work = self.networks["transformer"], self.work
        rows, down = together * work.branches, self.downscale
        check_size(network, down, width=work.width, height=work.height)
        is_dual = isinstance(network, DualStreamTransformer)
        width = network.config.text_dim if is_dual else network.config.cap_feat_dim
        channels = network.config.latent_channels if is_dual else network.config.in_channels
        features = [torch.empty(self.tokens, width, dtype=self.dtype, device="meta")] * rows
        latents = torch.empty(rows, channels, work.height // down, work.width // down, device="meta")
        time = torch.empty(1, device="meta")
        embed = network.embed_captions if is_dual else network.refine_captions
        return self._traced(lambda: network(latents, time, embed(features)))

    @cache  # noqa: B019
    def decoding(self, together: int, tile: int | None) -> int:
        network, down = self.networks["vae"], self.downscale
        rows = min(together, decoded_together(self.work.height * self.work.width)) if tile is None else 1
        latents = torch.empty(rows, network.channels, self.work.height // down, self.work.width // down, device="meta")
        if tile is None:
            return self._traced(lambda: network.decode(latents))
        return self._traced(lambda: decode_in_tiles(network, latents, tile))

    @property
    def downscale(self) -> int:
        return self.networks["vae"].downscale

    def _traced(self, compute: Callable[[], object]) -> int:
        return peak_bytes(compute, reordered=self.device.type == "cpu")


def open_networks(sources: Sources, placement: Placement) -> dict[str, loading.Opened[Any]]:
    """The networks of a model that every model has, without weights."""
    index = sources.folder / INDEX
    kind = str(read_json(index).get("_class_name"))
    is_qwen_image = kind.startswith(QWEN_IMAGE_PIPELINE)
    room: Any = loading_qwen_image if is_qwen_image else loading
    at = {name: (path, sources.variant_of(name)) for name, path in sources.components.items()}
    further = {"vision": "Edit" in kind} if is_qwen_image else {}
    tokenizer = sources.folder / "tokenizer"
    return {
        "transformer": room.open_transformer(*at["transformer"], placement),
        "text_encoder": room.open_text_encoder(*at["text_encoder"], placement, tokenizer=tokenizer, **further),
        "vae": room.open_autoencoder(*at["vae"]),
    }


def shapes_in(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The network with weights that are shapes in the dtypes in which they are loaded."""
    for name in network.state_dict():
        module, _, own = name.rpartition(".")
        owner = network.get_submodule(module)
        shape = torch.empty_like(getattr(owner, own), dtype=dtype_of(network, name, dtype), device="meta")
        if own in owner._parameters:
            owner._parameters[own] = nn.Parameter(shape, requires_grad=False)
        else:
            owner._buffers[own] = shape
    return network.to("meta").eval().requires_grad_(False)


def packing_bytes(network: nn.Module) -> int:
    """What the largest matrix takes while it is made of its parts and packed, beyond what stays."""
    layers = _layers(network)
    if not layers:
        return 0
    largest = max(layers, key=lambda layer: layer.in_features * layer.out_features)
    weight = torch.empty(largest.out_features, largest.in_features, dtype=torch.bfloat16, device="meta")
    if isinstance(largest, StoredBlocksLinear):
        return 0  # copied as it is
    return weight.nbytes + (peak_bytes(lambda: largest.pack(weight)) if isinstance(largest, PackedLinear) else 0)


def _layers(network: nn.Module) -> list[nn.Linear | QuantizedLinear]:
    return [module for module in network.modules() if isinstance(module, nn.Linear | QuantizedLinear)]


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.glob("*") if file.is_file()]
