"""A vision tower, small, every parameter random."""

import torch

from mezzotint.models.vision import Preparation, VisionTower, VisionTowerConfig

CONFIG = VisionTowerConfig(
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=3,
    layer_norm_eps=1e-6,
    patch_size=16,
    num_patches=16,
)
PREPARATION = Preparation(patch_size=16, max_num_patches=12)


def random_tower(seed: int = 0) -> VisionTower:
    tower = VisionTower(CONFIG, PREPARATION).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in tower.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            parameter.copy_(noise * parameter.shape[-1] ** -0.5)
        else:
            parameter.copy_(0.2 * noise + ("norm" in name and not name.endswith("bias")))
    return tower
