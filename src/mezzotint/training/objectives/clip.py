"""Training two towers so that a picture and its captions, in whatever language, become about the same vector."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mezzotint.data.records import Caption
from mezzotint.perception.dual_encoder import DualEncoder
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.objective import Metrics
from mezzotint.training.objectives.text import CaptionedPictures, contrast, draw_captions, first_of_each, retrieval
from mezzotint.training.state import TrainState


@dataclass(frozen=True, kw_only=True)
class PictureTextContrast:
    """Contrast between a picture and two of its captions, and between the two, in two languages where it has them.

    Symmetric InfoNCE (CLIP, Radford et al. 2021) whose targets are spread over all that show the same concept.
    `state.module` is a `DualEncoder`.

    Attributes:
        across_weight: Of the contrast between the two captions. max_tokens: Longer captions are cut.
        languages: Those whose retrieval is measured.
    """

    across_weight: float
    max_tokens: int
    languages: tuple[str, ...]

    def step(self, state: TrainState, batch: CaptionedPictures, rng: Seeds) -> Metrics:
        encoder: DualEncoder = state.module  # type: ignore[assignment]
        first, second = draw_captions(batch.captions, rng.numpy("captions", state.step))
        one, other = encoder.embed_captions([*first, *second], self.max_tokens).chunk(2)
        pictures = encoder.embed_pictures(batch.pictures.to(state.device))
        same = (batch.concepts[:, None] == batch.concepts[None]).to(state.device)

        shown = 0.5 * (contrast(pictures, one, same, encoder.scale) + contrast(pictures, other, same, encoder.scale))
        across = contrast(one, other, same, encoder.scale)
        loss = shown + self.across_weight * across
        metrics = {"picture_contrast": shown, "caption_contrast": across}
        metrics["gradient_norm"] = state.backward_and_update(loss)
        metrics["scale"] = encoder.scale[0]
        return {"loss": loss.detach()} | {name: value.detach() for name, value in metrics.items()}

    @torch.no_grad()
    def validate(self, state: TrainState, batches: Sequence[CaptionedPictures], rng: Seeds) -> Metrics:
        """The averaged weights, each batch one gallery of unlike pictures (the first of each concept).

        `retrieval_LANGUAGE` is the share of that language's captions whose nearest picture is the right one; pictures
        without a caption in it are not asked for. `chance` is what a blind choice would find.
        """
        found: dict[str, list[Tensor]] = {"validation_loss": [], "chance": []}
        found |= {f"retrieval_{language}": [] for language in self.languages}
        with state.averaged() as encoder:
            for index, batch in enumerate(batches):
                kept = first_of_each(batch.concepts)
                pictures = encoder.embed_pictures(batch.pictures[kept].to(state.device))
                losses = []
                for language in self.languages:
                    draw = rng.numpy("validation captions", index)
                    captions, asked = captions_in(language, [batch.captions[place] for place in kept], draw)
                    texts = encoder.embed_captions(captions, self.max_tokens)
                    gallery = torch.cat([pictures[asked], pictures[~asked]])
                    found[f"retrieval_{language}"].append(retrieval(texts, gallery))
                    own = torch.eye(len(texts), dtype=torch.bool, device=state.device)
                    losses.append(contrast(pictures[asked], texts, own, encoder.scale))
                found["validation_loss"].append(torch.stack(losses).mean())
                found["chance"].append(torch.tensor(1 / len(kept)))
        return {name: torch.stack(values).mean() for name, values in found.items()}


def captions_in(
    language: str, captions: Sequence[Sequence[Caption]], rng: np.random.Generator
) -> tuple[list[str], Tensor]:
    """One caption of each picture that has any in the language, and which pictures these are."""
    own = [[caption.text for caption in each if caption.language == language] for each in captions]
    drawn = [texts[int(rng.integers(len(texts)))] for texts in own if texts]
    return drawn, torch.tensor([bool(texts) for texts in own])
