"""Training an autoencoder: pictures through latents and back, close in pixels and in features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mezzotint.perception.perceptual import PerceptualDistance
from mezzotint.perception.similarity import psnr
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.objective import Metrics
from mezzotint.training.state import TrainState


@runtime_checkable
class PictureBatch(Protocol):
    """What this objective reads of a batch: pictures in [−1, 1], all of one size."""

    @property
    def pictures(self) -> Float[Tensor, "b 3 h w"]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Perceptual:
    """A perceptual term: its distance, its weight in the loss, how many pictures of each batch it is taken on.

    A batch is in random order, so the first few are a fair sample, and the trunk costs more than a small autoencoder.
    """

    distance: PerceptualDistance
    weight: float
    pictures: int


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """|x − x̂| + w₂·(x − x̂)² + w_p·perceptual(x, x̂) + w_KL·KL, x̂ decoded from a sample of the posterior.

    Rombach et al. 2022, appendix G, without its adversary. The squares make for a high PSNR, the perceptual distance
    for sharp edges; the KL term keeps the latents' size in bounds and, by the posterior's noise, the decoder tolerant.
    """

    square_weight: float
    kl_weight: float
    perceptual: Perceptual | None

    def step(self, state: TrainState, batch: PictureBatch, rng: Seeds) -> Metrics:
        pictures = batch.pictures.to(state.device, torch.float32)
        autoencoder = state.module
        posterior = autoencoder.moments(pictures)
        noise = rng.normal(posterior.mean.shape, "posterior", state.step).to(state.device)
        decoded = autoencoder.decode(autoencoder.scale(posterior.sample(noise)))

        absolute, square, kl = F.l1_loss(decoded, pictures), F.mse_loss(decoded, pictures), posterior.kl()
        loss = absolute + self.square_weight * square + self.kl_weight * kl
        metrics = {"absolute": absolute, "psnr": psnr(decoded, pictures).mean(), "kl": kl}
        if self.perceptual is not None:
            count = self.perceptual.pictures
            metrics["perceptual"] = self.perceptual.distance(decoded[:count], pictures[:count]).mean()
            loss = loss + self.perceptual.weight * metrics["perceptual"]
        metrics["gradient_norm"] = state.backward_and_update(loss)
        return {"loss": loss.detach()} | {name: value.detach() for name, value in metrics.items()}

    @torch.no_grad()
    def validate(self, state: TrainState, batches: Sequence[PictureBatch]) -> Metrics:
        """The averaged weights on fixed pictures, through the posterior's mean and clamped to [−1, 1].

        `validation_loss` is |x − x̂| + w₂·(x − x̂)²; `validation_psnr` the mean over pictures, in dB.
        """
        losses, ratios, distances = [], [], []
        with state.averaged() as autoencoder:
            for batch in batches:
                pictures = batch.pictures.to(state.device, torch.float32)
                decoded = autoencoder.decode(autoencoder.encode(pictures)).clamp(-1, 1)
                square = (decoded - pictures).square().mean((1, 2, 3))
                losses.append((decoded - pictures).abs().mean((1, 2, 3)) + self.square_weight * square)
                ratios.append(psnr(decoded, pictures))
                if self.perceptual is not None:
                    distances.append(self.perceptual.distance(decoded, pictures))
        measured = {"validation_loss": losses, "validation_psnr": ratios, "validation_perceptual": distances}
        return {name: torch.cat(values).mean() for name, values in measured.items() if values}
