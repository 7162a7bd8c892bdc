"""Flow matching: learn the velocity that carries noise to data along straight lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mezzotint.data.loader import LatentBatch
from mezzotint.flow.path import interpolate, velocity
from mezzotint.flow.times import TimeSampler
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.objective import Metrics
from mezzotint.training.state import TrainState


@dataclass(frozen=True, kw_only=True)
class FlowMatching:
    """Regress v = clean − noise at x_t = t·clean + (1 − t)·noise (Lipman et al. 2023; Z-Image report, section 4).

    A share `caption_dropout` of the captions becomes `empty_caption`, the encoded empty prompt: it is the negative
    branch of classifier-free guidance (Ho & Salimans 2022).
    """

    times: TimeSampler
    caption_dropout: float
    empty_caption: Float[Tensor, "n d"]
    patch_size: int

    def step(self, state: TrainState, batch: LatentBatch, rng: Seeds) -> Metrics:
        noise, t = self.draw(batch, rng, "train", state.step)
        dropped = torch.rand(len(batch), generator=rng.generator("caption dropout", state.step)) < self.caption_dropout
        loss = self.loss(state, batch.latents, self.captions(state, batch, dropped.tolist()), noise, t)
        norm = state.backward_and_update(loss)
        return {"loss": loss.detach(), "gradient_norm": norm}

    def loss(
        self,
        state: TrainState,
        clean: Float[Tensor, "b c h w"],
        captions: Sequence[Float[Tensor, "n d"]],
        noise: Float[Tensor, "b c h w"],
        t: Float[Tensor, "b"],
    ) -> Float[Tensor, ""]:
        """Mean squared error of the velocity, in fp32; only the network's inputs are in the working dtype."""
        clean, noise, t = clean.to(state.device), noise.to(state.device), t.to(state.device)
        features = [caption.to(state.device, state.dtype) for caption in captions]
        x = interpolate(noise, clean, t).to(state.dtype)
        prediction = state.module(x, t, state.module.refine_captions(features))
        return torch.nn.functional.mse_loss(prediction.float(), velocity(noise, clean))

    def draw(
        self, batch: LatentBatch, rng: Seeds, purpose: str, step: int
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b"]]:
        """Noise and times of one batch."""
        count, _, height, width = batch.latents.shape
        tokens = (height // self.patch_size) * (width // self.patch_size)
        noise = rng.normal(batch.latents.shape, f"{purpose} noise", step)
        return noise, self.times.sample(count, tokens, rng.generator(f"{purpose} time", step))

    def captions(self, state: TrainState, batch: LatentBatch, dropped: Sequence[bool]) -> list[Float[Tensor, "n d"]]:
        """The features that the network is to see: those of the batch, the empty prompt's where one is dropped."""
        return [self.empty_caption if drop else caption for drop, caption in zip(dropped, batch.captions, strict=True)]

    @torch.no_grad()
    def validate(self, state: TrainState, batches: Sequence[LatentBatch], rng: Seeds) -> Metrics:
        """The averaged weights' loss on fixed batches with fixed noise and times, weighted by batch size."""
        total, count = 0.0, 0
        with state.averaged():
            for index, batch in enumerate(batches):
                noise, t = self.draw(batch, rng, "validation", index)
                captions = self.captions(state, batch, [False] * len(batch))
                total += len(batch) * self.loss(state, batch.latents, captions, noise, t).item()
                count += len(batch)
        return {"validation_loss": total / count}


@dataclass(frozen=True, kw_only=True)
class JointFlowMatching(FlowMatching):
    """Flow matching that also teaches the text tower, which the module holds as `tower`: it reads the batch's texts."""

    def captions(self, state: TrainState, batch: LatentBatch, dropped: Sequence[bool]) -> list[Float[Tensor, "n d"]]:
        texts = ["" if drop else text for drop, text in zip(dropped, batch.texts, strict=True)]
        return state.module.tower.read(texts)
