"""The ControlNet of the Z-Image "Fun" releases: blocks like the network's own beside it, each with a hint for a layer.

    control ─ patches ─ embed ─ refine ─ [control, caption] ─ layers ─ after each: a hint for a layer of the network
                                  │                             │
    picture ─ patches ─ embed ────┴─ noise refiner ─ [picture, caption]

Time, picture and pad embeddings and the noise refiner are those of the network that it leads; the picture's way up to
the joint sequence is walked on a copy, since the hints to the noise refiner (2.0, 2.1) reach the control only.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.models.adapters.control.config import ControlConfig
from mezzotint.models.captions import Captions
from mezzotint.models.packing import patch_sizes, spread
from mezzotint.models.rotary import Rotary
from mezzotint.models.single_stream import SingleStreamConfig, SingleStreamTransformer
from mezzotint.models.single_stream.geometry import BatchGeometry, Layout, batch_geometry
from mezzotint.models.single_stream.model import (
    Block,
    Hints,
    by_sequence,
    fill,
    join,
    modulated_gains,
    patchify,
    run_blocks,
)


class HintingBlocks(nn.Module):
    """Blocks over the control's tokens, with the tokens that it leads added at first; behind each block, a hint."""

    def __init__(self, network: SingleStreamConfig, count: int) -> None:
        super().__init__()
        self.before = nn.Linear(network.dim, network.dim)
        self.blocks = nn.ModuleList(Block(network) for _ in range(count))
        self.after = nn.ModuleList(nn.Linear(network.dim, network.dim) for _ in range(count))

    def forward(
        self,
        control: Float[Tensor, "*tokens d"],
        x: Float[Tensor, "*tokens d"],
        gains: Float[Tensor, "layer m 4 d"],
        layout: Layout,
    ) -> tuple[Float[Tensor, "s n d"], list[Float[Tensor, "s n d"]]]:
        """The control's tokens behind the last block, and every block's hint."""
        control = by_sequence(self.before(control) + x, layout)
        rotary = Rotary(*(table.to(x.dtype) for table in layout.rotary))
        hints = []
        for block, after, gain in zip(self.blocks, self.after, gains.unbind(), strict=True):
            control = block(control, spread(gain, layout.rows), rotary, layout.groups)
            hints.append(after(control))
        return control, hints


class ControlNet(nn.Module):
    """Hints for a Z-Image network, from the latents of a control picture."""

    def __init__(self, config: ControlConfig, network: SingleStreamConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embedding = nn.Linear(config.patch_size**2 * config.in_channels, network.dim)
        self.layers = HintingBlocks(network, len(config.places))
        if config.refiner == "alone":
            self.refiner: nn.Module = nn.ModuleList(Block(network) for _ in range(config.n_refiner_layers))
        elif config.refiner == "control_noise_refiner":
            self.refiner = HintingBlocks(network, config.n_refiner_layers)
        self.modulation = nn.Linear(network.time_dim, len(self.blocks) * 4 * network.dim)

    @property
    def blocks(self) -> list[Block]:
        """All blocks: the refiner's own, if there are any, then the layers."""
        match self.config.refiner:
            case "alone":
                refiner = [*self.refiner]  # type: ignore[misc]
            case "control_noise_refiner":
                refiner = [*self.refiner.blocks]  # type: ignore[misc]
            case _:
                refiner = []
        return [*refiner, *self.layers.blocks]  # type: ignore[list-item]

    def forward(
        self,
        network: SingleStreamTransformer,
        latents: Float[Tensor, "b c h w"],
        t: Float[Tensor, "#b"],
        captions: Captions,
        control: Float[Tensor, "b k h w"],
        scale: float,
    ) -> Hints:
        """What is to be added after the network's layers, `scale` times as strong as learned.

        Args:
            latents, t, captions: What the network is about to be asked.
            control: Latents of the control, of `in_channels` channels.

        Raises:
            InputError: Sizes do not fit.
        """
        if control.shape[1:] != (self.config.in_channels, *latents.shape[2:]):
            wanted = (self.config.in_channels, *latents.shape[2:])
            raise InputError(f"the control's latents are {tuple(control.shape[1:])}; they must be {wanted}")
        p = self.config.patch_size
        sizes = patch_sizes(latents, network.config.in_channels, p)
        geometry = batch_geometry(network.config, sizes, captions.lengths, captions.tokens.device)
        return self.evaluate(network, patchify(latents, p), t, captions.tokens, patchify(control, p), scale, geometry)

    def evaluate(
        self,
        network: SingleStreamTransformer,
        patches: Float[Tensor, "p patch"],
        t: Float[Tensor, "#b"],
        captions: Float[Tensor, "n d"],
        control: Float[Tensor, "p control_patch"],
        scale: float,
        geometry: BatchGeometry,
    ) -> Hints:
        """The hints on packed patches of all pictures: all of it that is worth compiling."""
        time = network.embed_time(t)
        gains = modulated_gains(self.modulation(time), self.blocks)
        layers = len(self.config.places)
        embedded = self.patch_embedding(control.to(self.patch_embedding.weight.dtype))
        embedded = fill(embedded, network.picture_pad, geometry.filling)
        x = network.embed(patches, geometry)
        refined, hints = self._refine(embedded, x, gains[:-layers], gains[-layers:], geometry.picture)
        hints = {place: scale * hint for place, hint in hints.items()}
        x = run_blocks(network.noise_refiner, x, network.gains(time)[0], geometry.picture, hints)
        joint, led = (join(tokens, captions, geometry) for tokens in (refined, x))
        _, leads = self.layers(joint, led, gains[-layers:], geometry.joint)
        return {place: scale * hint for place, hint in zip(self.config.places, leads, strict=True)}

    def _refine(
        self,
        control: Float[Tensor, "n d"],
        x: Float[Tensor, "n d"],
        own: Float[Tensor, "_ m 4 d"],
        layers: Float[Tensor, "_ m 4 d"],
        layout: Layout,
    ) -> tuple[Float[Tensor, "_ _ d"], Mapping[int, Float[Tensor, "_ _ d"]]]:
        """The control's tokens, refined, and hints for the noise refiner; `own` and `layers` are gains."""
        if self.config.refiner == "alone":
            return run_blocks(self.refiner, control, own, layout), {}  # type: ignore[arg-type]
        if self.config.refiner == "control_layers":
            refined, hints = self.layers(control, x, layers, layout)
        else:
            refined, hints = self.refiner(control, x, own, layout)
        return refined, dict(zip(self.config.refiner_places, hints, strict=False))
