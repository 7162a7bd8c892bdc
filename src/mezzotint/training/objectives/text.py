"""Training a text tower on captions and their pictures, so that its features say what a picture shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from mezzotint.data.records import Caption
from mezzotint.perception.dual_encoder import GROUPS, DualEncoder
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.objective import Metrics
from mezzotint.training.state import TrainState


@runtime_checkable
class CaptionedPictures(Protocol):
    """What this objective reads of a batch: pictures in [−1, 1], all captions of each, and which show the same."""

    @property
    def pictures(self) -> Float[Tensor, "b 3 h w"]: ...

    @property
    def captions(self) -> Sequence[Sequence[Caption]]: ...

    @property
    def concepts(self) -> Int[Tensor, "b"]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class CaptionContrast:
    """Contrast between a picture and two of its captions, contrast between the two, and the next token.

    Of each picture two captions are drawn, in two languages where it has them. The contrasts are symmetric InfoNCE
    (van den Oord et al. 2018; CLIP, Radford et al. 2021) whose targets are spread over all that show the same concept.
    The next-token loss, on half of the captions, keeps the words themselves in the features. `state.module` is a
    `DualEncoder`.

    Attributes:
        across_weight: Of the contrast between the two captions. token_weight: Of the next-token loss.
        max_tokens: Longer captions are cut.
    """

    across_weight: float
    token_weight: float
    max_tokens: int

    def step(self, state: TrainState, batch: CaptionedPictures, rng: Seeds) -> Metrics:
        encoder: DualEncoder = state.module  # type: ignore[assignment]
        first, second = draw_captions(batch.captions, rng.numpy("captions", state.step))
        texts, token_loss = self._read(encoder, [*first, *second])
        pictures = encoder.embed_pictures(batch.pictures.to(state.device))
        same = batch.concepts[:, None] == batch.concepts[None]

        one, other = texts.chunk(2)
        same = same.to(state.device)
        shown = 0.5 * (contrast(pictures, one, same, encoder.scale) + contrast(pictures, other, same, encoder.scale))
        across = contrast(one, other, same, encoder.scale)
        loss = shown + self.across_weight * across + self.token_weight * token_loss
        metrics = {"picture_contrast": shown, "caption_contrast": across, "next_token": token_loss}
        metrics["gradient_norm"] = state.backward_and_update(loss)
        metrics["scale"] = encoder.scale[0]
        return {"loss": loss.detach()} | {name: value.detach() for name, value in metrics.items()}

    def _read(self, encoder: DualEncoder, captions: Sequence[str]) -> tuple[Float[Tensor, "b e"], Float[Tensor, ""]]:
        """Embeddings of all captions, and the mean next-token loss over the tokens of every second one."""
        ids = encoder.text.token_ids(captions, self.max_tokens)
        by_length = np.argsort([len(row) for row in ids], kind="stable")
        embeddings, losses, count = [], [], 0
        for group in np.array_split(by_length, min(GROUPS, len(ids))):
            rows = [ids[index] for index in group]
            padded, lengths = encoder.text.padded(rows), torch.tensor([len(row) for row in rows])
            features = encoder.text.features(padded)
            embeddings.append(encoder.embed_features(features, lengths.to(features.device)))
            logits = encoder.text.next_token_logits(features[::2])
            losses.append(next_token_loss(logits, padded[::2], lengths[::2]))
            count += int((lengths[::2] - 1).sum())
        order = torch.from_numpy(np.argsort(by_length))
        return torch.cat(embeddings)[order], torch.stack(losses).sum() / count

    @torch.no_grad()
    def validate(self, state: TrainState, batches: Sequence[CaptionedPictures], rng: Seeds) -> Metrics:
        """The averaged weights, each batch one gallery of unlike pictures (the first of each concept).

        `retrieval_*` is the share of captions whose nearest picture, or nearest other caption, is the right one.
        """
        found: dict[str, list[Tensor]] = {"validation_loss": [], "retrieval_picture": [], "retrieval_caption": []}
        with state.averaged() as encoder:
            for index, batch in enumerate(batches):
                kept = first_of_each(batch.concepts)
                captions = [batch.captions[i] for i in kept]
                first, second = draw_captions(captions, rng.numpy("validation captions", index))
                texts, token_loss = self._read(encoder, [*first, *second])
                pictures = encoder.embed_pictures(batch.pictures[kept].to(state.device))
                one, other = texts.chunk(2)
                same = torch.eye(len(kept), dtype=torch.bool, device=state.device)
                shown = contrast(pictures, one, same, encoder.scale)
                across = contrast(one, other, same, encoder.scale)
                found["validation_loss"].append(shown + self.across_weight * across + self.token_weight * token_loss)
                found["retrieval_picture"].append(retrieval(texts, pictures))
                found["retrieval_caption"].append(retrieval(one, other))
        return {name: torch.stack(values).mean() for name, values in found.items()}


def draw_captions(captions: Sequence[Sequence[Caption]], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Two captions of each picture: the second in another language, or else another one, where there is such a one."""
    first, second = [], []
    for own in captions:
        one = own[int(rng.integers(len(own)))]
        foreign = [caption for caption in own if caption.language != one.language]
        others = foreign or [caption for caption in own if caption != one] or [one]
        first.append(one.text)
        second.append(others[int(rng.integers(len(others)))].text)
    return first, second


def contrast(
    a: Float[Tensor, "b e"], b: Float[Tensor, "b e"], same: Bool[Tensor, "b b"], scale: Float[Tensor, "1"]
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE of unit vectors; each row's target is spread evenly over the columns that are the `same`."""
    logits = scale * (a @ b.T)
    targets = same.float() / same.sum(1, keepdim=True)
    return 0.5 * (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets))


def next_token_loss(
    logits: Float[Tensor, "b n v"], ids: Int[Tensor, "b n"], lengths: Int[Tensor, "b"]
) -> Float[Tensor, ""]:
    """The summed cross entropy, in nats, of each real token but the first."""
    position = torch.arange(1, ids.shape[1], device=ids.device)
    targets = ids[:, 1:].masked_fill(position >= lengths.to(ids.device)[:, None], -100)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), targets.flatten(), reduction="sum")


def retrieval(queries: Float[Tensor, "q e"], gallery: Float[Tensor, "b e"]) -> Float[Tensor, ""]:
    """Retrieval@1: the share of queries, the gallery's order over and over, whose nearest vector is their own."""
    nearest = (queries @ gallery.T).argmax(1)
    own = torch.arange(len(queries), device=queries.device) % len(gallery)
    return (nearest == own).float().mean()


def first_of_each(concepts: Int[Tensor, "b"]) -> list[int]:
    """The places where a number appears for the first time."""
    return sorted({concept: place for place, concept in reversed(list(enumerate(concepts.tolist())))}.values())
