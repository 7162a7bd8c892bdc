"""Random small ControlNets in diffusers' form, and the same in ours, for a random small network."""

from typing import Any

import torch
from diffusers import ZImageControlNetModel, ZImageTransformer2DModel
from torch import Tensor

from mezzotint.models.adapters.control import ControlConfig, ControlNet, stream_published
from mezzotint.models.adapters.control.config import Refiner
from mezzotint.models.single_stream import SingleStreamConfig

# The releases as they differ: (channels beyond the latents', how the control is refined, blocks of the refiner led).
RELEASES: dict[str, tuple[int, Refiner, tuple[int, ...]]] = {
    "1.0": (0, "alone", ()),
    "2.0": (17, "control_layers", (0, 1)),
    "2.1": (17, "control_noise_refiner", (0, 1)),
}


def control_config(release: str, network: SingleStreamConfig) -> ControlConfig:
    """A ControlNet of a release for a small network: it leads every second layer."""
    further, refiner, refiner_places = RELEASES[release]
    return ControlConfig(
        in_channels=network.in_channels + (further and network.in_channels + 1),
        places=tuple(range(0, network.n_layers, 2)),
        refiner=refiner,
        refiner_places=refiner_places[: network.n_refiner_layers],
        patch_size=network.patch_size,
        dim=network.dim,
        n_heads=network.n_heads,
        n_refiner_layers=network.n_refiner_layers,
    )


def random_control(config: ControlConfig, seed: int = 0) -> Any:
    """diffusers' ControlNet with every parameter random, its projections too, which training begins as zeros."""
    oracle = ZImageControlNetModel.from_config(config.to_json())
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in oracle.named_parameters():
            draw = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                parameter.copy_(1.0 + 0.3 * draw)
            elif parameter.ndim == 1:
                parameter.copy_(0.3 * draw)
            else:
                parameter.copy_(draw * parameter.shape[-1] ** -0.5)
    return oracle.eval()


def ours(oracle: Any, config: ControlConfig, network: SingleStreamConfig) -> ControlNet:
    """Our ControlNet with the oracle's weights."""
    control = ControlNet(config, network)
    control.load_state_dict(dict(stream_published(oracle.state_dict(), config, network)))
    return control.eval()


def oracle_velocity(
    network: ZImageTransformer2DModel,
    control: Any,
    latents: list[Tensor],
    t: Tensor,
    features: list[Tensor],
    context: list[Tensor],
    scale: float,
) -> list[Tensor]:
    """What diffusers computes with the ControlNet's hints."""
    control = type(control).from_transformer(control, network)
    x = [picture[:, None] for picture in latents]
    hints = control(x, t, features, torch.stack(context)[:, :, None], conditioning_scale=scale)
    velocities = network(x, t, features, controlnet_block_samples=hints, return_dict=False)[0]
    return [velocity[:, 0] for velocity in velocities]
