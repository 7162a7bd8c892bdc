import pytest
import torch

from mezzotint.models.autoencoder import Autoencoder, AutoencoderConfig

TINY = AutoencoderConfig(
    block_out_channels=(8, 12, 16),
    layers_per_block=1,
    latent_channels=4,
    norm_num_groups=4,
    mid_block_add_attention=True,
    sample_size=32,
    scaling_factor=0.7,
    shift_factor=0.3,
)


@pytest.fixture
def autoencoder() -> Autoencoder:
    """A tiny one with every parameter random, norms included."""
    generator = torch.Generator().manual_seed(0)
    autoencoder = Autoencoder(TINY)
    for parameter in autoencoder.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return autoencoder


@pytest.fixture
def pictures() -> torch.Tensor:
    return 2 * torch.rand(3, 3, 24, 32, generator=torch.Generator().manual_seed(1)) - 1
