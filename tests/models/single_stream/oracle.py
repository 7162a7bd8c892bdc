"""Random small networks in diffusers' form, and the same in ours."""

import torch
from diffusers import ZImageTransformer2DModel
from torch import Tensor

from mezzotint.models.single_stream import SingleStreamConfig, SingleStreamTransformer, from_published


def small_config(heads: int = 2, axes: tuple[int, int, int] = (8, 20, 20)) -> SingleStreamConfig:
    """Every kind of block twice; 96 wide unless said."""
    return SingleStreamConfig(
        patch_size=2,
        in_channels=4,
        dim=heads * sum(axes),
        n_layers=2,
        n_refiner_layers=2,
        n_heads=heads,
        norm_eps=1e-5,
        cap_feat_dim=40,
        rope_theta=256.0,
        t_scale=1000.0,
        axes_dims=axes,
        axes_lens=(256, 32, 32),
        siglip_feat_dim=None,
    )


def random_oracle(config: SingleStreamConfig, seed: int = 0) -> ZImageTransformer2DModel:
    """diffusers' network with every parameter random, scaled so that outputs are of order one."""
    oracle = ZImageTransformer2DModel.from_config(config.to_json())
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in oracle.named_parameters():
            draw = torch.randn(parameter.shape, generator=generator)
            if "norm" in name or name in ("cap_embedder.0.weight", "siglip_embedder.0.weight"):
                parameter.copy_(1.0 + 0.3 * draw)
            elif parameter.ndim == 1:
                parameter.copy_(0.3 * draw)
            else:
                parameter.copy_(draw * (1.0 if "pad_token" in name else parameter.shape[-1] ** -0.5))
    return oracle.eval()


def ours(oracle: ZImageTransformer2DModel, config: SingleStreamConfig) -> SingleStreamTransformer:
    """Our network with the oracle's weights."""
    model = SingleStreamTransformer(config)
    model.load_state_dict(from_published(oracle.state_dict(), config))
    return model.eval()


def random_inputs(
    config: SingleStreamConfig, sizes: list[tuple[int, int]], captions: list[int], seed: int = 0
) -> tuple[list[Tensor], Tensor, list[Tensor]]:
    """Latents of these heights and widths, times, and features of captions with so many tokens."""
    generator = torch.Generator().manual_seed(seed)
    latents = [torch.randn(config.in_channels, *size, generator=generator) for size in sizes]
    features = [torch.randn(length, config.cap_feat_dim, generator=generator) for length in captions]
    return latents, torch.rand(len(sizes), generator=generator), features


def oracle_velocity(
    oracle: ZImageTransformer2DModel, latents: list[Tensor], t: Tensor, features: list[Tensor]
) -> list[Tensor]:
    """What diffusers computes; its latents have an axis of frames."""
    velocities = oracle([x[:, None] for x in latents], t, features, return_dict=False)[0]
    return [velocity[:, 0] for velocity in velocities]
