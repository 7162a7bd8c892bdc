"""Random small networks in diffusers' form, and the same in ours."""

from collections.abc import Sequence

import torch
from diffusers import QwenImageTransformer2DModel
from einops import rearrange
from torch import Tensor

from mezzotint.models.dual_stream import DualStreamConfig, DualStreamTransformer, from_published

Size = tuple[int, int]


def small_config(
    *, heads: int = 2, axes: tuple[int, int, int] = (4, 10, 10), zero_cond_t: bool = False
) -> DualStreamConfig:
    """Two blocks, 48 wide unless said."""
    return DualStreamConfig(
        patch_size=2,
        latent_channels=4,
        n_layers=2,
        n_heads=heads,
        head_dim=sum(axes),
        text_dim=40,
        axes_dims=axes,
        zero_cond_t=zero_cond_t,
    )


def random_oracle(config: DualStreamConfig, seed: int = 0) -> QwenImageTransformer2DModel:
    """diffusers' network with every parameter random, scaled so that outputs are of order one."""
    oracle = QwenImageTransformer2DModel.from_config(config.to_json())
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in oracle.named_parameters():
            draw = torch.randn(parameter.shape, generator=generator)
            if ".norm_" in name or name == "txt_norm.weight":
                parameter.copy_(1.0 + 0.3 * draw)
            elif parameter.ndim == 1:
                parameter.copy_(0.3 * draw)
            else:
                parameter.copy_(draw * parameter.shape[-1] ** -0.5)
    return oracle.eval()


def ours(oracle: QwenImageTransformer2DModel, config: DualStreamConfig) -> DualStreamTransformer:
    """Our network with the oracle's weights."""
    model = DualStreamTransformer(config)
    model.load_state_dict(from_published(oracle.state_dict(), config))
    return model.eval()


def random_inputs(
    config: DualStreamConfig,
    sizes: Sequence[Size],
    captions: Sequence[int],
    references: Sequence[Sequence[Size]] = (),
    seed: int = 0,
) -> tuple[list[Tensor], Tensor, list[Tensor], list[list[Tensor]]]:
    """Latents of these heights and widths, times, features of captions with so many tokens, reference latents."""
    generator = torch.Generator().manual_seed(seed)

    def latents(size: Size) -> Tensor:
        return torch.randn(config.latent_channels, *size, generator=generator)

    pictures = [latents(size) for size in sizes]
    features = [torch.randn(length, config.text_dim, generator=generator) for length in captions]
    t = torch.rand(len(sizes), generator=generator)
    return pictures, t, features, [[latents(size) for size in others] for others in references or [()] * len(sizes)]


def oracle_velocity(
    oracle: QwenImageTransformer2DModel,
    latents: list[Tensor],
    t: Tensor,
    features: list[Tensor],
    references: list[list[Tensor]],
) -> list[Tensor]:
    """What diffusers computes for pictures of one size: captions padded and masked, σ = 1 − t, and the sign turned."""
    longest = max(map(len, features))
    padded = torch.stack([torch.nn.functional.pad(x, (0, 0, 0, longest - len(x))) for x in features])
    mask = torch.stack([torch.arange(longest) < len(x) for x in features])
    together = [[x, *others] for x, others in zip(latents, references, strict=True)]
    answer = oracle(
        hidden_states=torch.stack([torch.cat([_packed(x) for x in pictures]) for pictures in together]),
        encoder_hidden_states=padded,
        encoder_hidden_states_mask=mask,
        timestep=1 - t,
        img_shapes=[[(1, x.shape[1] // 2, x.shape[2] // 2) for x in pictures] for pictures in together],
        return_dict=False,
    )[0]
    height, width = latents[0].shape[1:]
    own = answer[:, : height * width // 4]
    return list(-rearrange(own, "b (h w) (c p q) -> b c (h p) (w q)", h=height // 2, p=2, q=2))


def _packed(latents: Tensor) -> Tensor:
    """As diffusers' pipelines pack them (`QwenImagePipeline._pack_latents`)."""
    channels, height, width = latents.shape
    parts = latents.view(channels, height // 2, 2, width // 2, 2).permute(1, 3, 0, 2, 4)
    return parts.reshape(height * width // 4, 4 * channels)
