"""Random networks, and pictures made from pictures: in diffusers' form, and the same in ours."""

from dataclasses import dataclass, replace

import torch
from diffusers import ZImageTransformer2DModel
from tests.models.single_stream.oracle import small_config
from torch import Tensor

from mezzotint.models.single_stream import OmniTransformer, SingleStreamConfig, from_published

PLAIN = small_config()
SIGLIP = replace(PLAIN, siglip_feat_dim=24)

Size = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """Of each picture of a batch: its size and its references' in latents, the tokens of its caption's segments, and
    the grids that a vision tower tells of."""

    targets: list[Size]
    references: list[list[Size]]
    segments: list[list[int]]
    vision: list[list[Size]]


@dataclass(frozen=True)
class OmniInputs:
    """Random tensors of a case."""

    latents: list[Tensor]
    t: Tensor
    references: list[list[Tensor]]
    segments: list[list[Tensor]]
    vision: list[list[Tensor]]


def ours(oracle: ZImageTransformer2DModel, config: SingleStreamConfig) -> OmniTransformer:
    """Our network with the oracle's weights."""
    model = OmniTransformer(config)
    model.load_state_dict(from_published(oracle.state_dict(), config))
    return model.eval()


def random_inputs(config: SingleStreamConfig, case: Case, seed: int = 0) -> OmniInputs:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return OmniInputs(
        latents=[draw(config.in_channels, *size) for size in case.targets],
        t=torch.rand(len(case.targets), generator=generator),
        references=[[draw(config.in_channels, *size) for size in one] for one in case.references],
        segments=[[draw(length, config.cap_feat_dim) for length in one] for one in case.segments],
        vision=[[draw(*size, config.siglip_feat_dim or 0) for size in one] for one in case.vision],
    )


def velocity(model: OmniTransformer, given: OmniInputs) -> list[Tensor]:
    conditions = model.refine(given.segments, given.references, given.vision)
    return list(model(given.latents, given.t, conditions))


def oracle_velocity(oracle: ZImageTransformer2DModel, given: OmniInputs) -> list[Tensor]:
    """What diffusers computes; its latents have an axis of frames, and its target a place among what vision tells."""
    pictures = [
        [x[:, None] for x in (*references, target)]
        for references, target in zip(given.references, given.latents, strict=True)
    ]
    velocities = oracle(
        pictures,
        given.t,
        given.segments,
        siglip_feats=[[*one, None] if one else None for one in given.vision],
        image_noise_mask=[[0] * len(one) + [1] for one in given.references],
        return_dict=False,
    )[0]
    return [v[:, 0] for v in velocities]
