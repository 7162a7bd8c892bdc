"""ControlNet: the network of any task, led by a picture of edges, depths, poses or lines."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.generation.loading import Opened, filled, unfilled
from mezzotint.models.adapters.control import ControlConfig, ControlNet, stream_published, used
from mezzotint.models.captions import Captions
from mezzotint.models.components import naming, open_component
from mezzotint.models.formats import Reading
from mezzotint.models.single_stream import SingleStreamTransformer
from mezzotint.models.single_stream.half_range import hold_in_range


@dataclass(frozen=True, kw_only=True)
class Controlled:
    """A network that asks a ControlNet for hints first (`flow.guidance.Network`).

    Attributes:
        context: What the ControlNet sees, the same for every picture; see `control_context`.
    """

    transformer: SingleStreamTransformer
    control: ControlNet
    context: Float[Tensor, "1 k h w"]
    scale: float

    def __call__(
        self, x: Float[Tensor, "b c h w"], t: Float[Tensor, "#b"], captions: Captions
    ) -> Float[Tensor, "b c h w"]:
        context = self.context.expand(len(x), -1, -1, -1)
        return self.transformer(x, t, captions, self.control(self.transformer, x, t, captions, context, self.scale))


def control_context(
    control: Float[Tensor, "1 c h w"], channels: int, keep: Float[Tensor, "1 k h w"] | None
) -> Float[Tensor, "1 channels h w"]:
    """The latents of the control picture, and behind them what is kept of an image, or zeros.

    Args:
        keep: 1 where the image is kept and 0 where it is painted, then the latents of the image, its painted part grey.

    Raises:
        InputError: The ControlNet, of so many `channels`, cannot see what is kept.
    """
    own, further = control.shape[1], channels - control.shape[1]
    if keep is None:
        return torch.cat([control, control.new_zeros(1, further, *control.shape[2:])], dim=1)
    if further != keep.shape[1]:
        wanted = own + keep.shape[1]
        raise InputError(f"this ControlNet has {channels} channels and sees no mask; one of {wanted} does (2.0, 2.1)")
    return torch.cat([control, keep], dim=1)


def load_control(path: Path, network: SingleStreamTransformer, dtype: torch.dtype, device: torch.device) -> ControlNet:
    """The ControlNet of a folder or of a single file, for this network.

    Raises:
        MissingFileError: A file is missing.
        FileFormatError: A file is broken, holds no ControlNet for Z-Image, or one for another network.
    """
    component = open_component(path, "controlnet")
    with naming(component.config_path):
        config = ControlConfig.from_json(component.config, network.config)
    control = unfilled(component, lambda: ControlNet(config, network.config))
    stored = used(component.tensors, config)
    opened = Opened(control, component, lambda dtype: stream_published(Reading(stored, dtype), config, network.config))
    return filled(replace(opened, prepare=hold_in_range) if dtype == torch.float16 else opened, dtype, device)
