from dataclasses import dataclass
from functools import partial

import pytest
import torch

from mezzotint.models.autoencoder import Autoencoder, AutoencoderConfig, init_weights
from mezzotint.perception.perceptual import PerceptualDistance
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.learning_rate import constant
from mezzotint.training.objectives.autoencoder import Perceptual, Reconstruction
from mezzotint.training.optimizers import AdamW
from mezzotint.training.state import TrainState

TINY = AutoencoderConfig(
    block_out_channels=(8, 16),
    layers_per_block=1,
    latent_channels=8,
    norm_num_groups=4,
    mid_block_add_attention=True,
    sample_size=16,
    scaling_factor=1.0,
    shift_factor=0.0,
)


@dataclass
class Batch:
    pictures: torch.Tensor

    def __len__(self) -> int:
        return len(self.pictures)


@pytest.fixture
def batch() -> Batch:
    """Smooth colour ramps, each in its own direction."""
    slopes = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(0))
    grid = torch.stack(torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij"))
    return Batch(torch.einsum("bcd,dhw->bchw", slopes, grid).clamp(-1, 1))


def new_state(lr: float = 5e-3, dtype: torch.dtype = torch.float32) -> TrainState:
    autoencoder = Autoencoder(TINY)
    init_weights(autoencoder, torch.Generator().manual_seed(0))
    return TrainState(
        autoencoder,
        optimizer=AdamW(lr=lr, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0, rates={}),
        schedule=partial(constant, warmup=5),
        clip=1.0,
        average=0.9,
        device=torch.device("cpu"),
        dtype=dtype,
    )


def tiny_distance() -> PerceptualDistance:
    distance = PerceptualDistance([(3, 8), (8, 8)])
    generator = torch.Generator().manual_seed(2)
    for parameter in distance.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator).abs()
    return distance


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_overfits_one_batch(batch: Batch, dtype: torch.dtype) -> None:
    objective = Reconstruction(
        square_weight=2.0, kl_weight=1e-6, perceptual=Perceptual(distance=tiny_distance(), weight=0.1, pictures=2)
    )
    state, rng = new_state(dtype=dtype), Seeds(0)
    before = objective.validate(state, [batch])
    for _ in range(150):
        metrics = objective.step(state, batch, rng)
        state.step += 1
    after = objective.validate(state, [batch])
    assert before["validation_psnr"] < 15
    assert after["validation_psnr"] > 24
    assert after["validation_perceptual"] < 0.3 * before["validation_perceptual"]
    assert metrics["psnr"] > 22


def test_the_loss_is_the_written_sum(batch: Batch) -> None:
    perceptual = Perceptual(distance=tiny_distance(), weight=0.5, pictures=2)
    state, rng = new_state(lr=0.0), Seeds(7)
    metrics = Reconstruction(square_weight=2.0, kl_weight=0.1, perceptual=perceptual).step(state, batch, rng)

    with torch.no_grad():
        posterior = state.module.moments(batch.pictures)
        noise = rng.normal(posterior.mean.shape, "posterior", 0)
        decoded = state.module.decoder(posterior.mean + (posterior.log_variance / 2).exp() * noise)
        error = decoded - batch.pictures
        expected = error.abs().mean() + 2 * (error**2).mean() + 0.1 * posterior.kl()
        expected += 0.5 * perceptual.distance(decoded[:2], batch.pictures[:2]).mean()
    torch.testing.assert_close(metrics["loss"], expected)


def test_the_kl_term_alone_brings_the_posterior_to_the_prior(batch: Batch) -> None:
    objective, state, rng = Reconstruction(square_weight=0.0, kl_weight=1e3, perceptual=None), new_state(2e-2), Seeds(0)
    for _ in range(120):
        metrics = objective.step(state, batch, rng)
        state.step += 1
    assert metrics["kl"] < 0.02


def test_the_draw_depends_on_the_step_alone(batch: Batch) -> None:
    objective = Reconstruction(square_weight=2.0, kl_weight=1e-6, perceptual=None)
    one, other = new_state(lr=0.0), new_state(lr=0.0)
    other.step = 5
    losses = [objective.step(state, batch, Seeds(0))["loss"] for state in (one, one, other)]
    assert losses[0] == losses[1] != losses[2]
