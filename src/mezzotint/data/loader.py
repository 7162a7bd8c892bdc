"""Batches as pure functions of (seed, step): a run that resumes at a step sees what it would have seen.

An epoch goes through all samples in a new order, each exactly once.
"""

import bisect
import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from mezzotint.data.buckets import PAD
from mezzotint.data.shards import CaptionTable, LatentShards
from mezzotint.errors import InputError
from mezzotint.runtime.seeds import Seeds

B_co = TypeVar("B_co", covariant=True)


@runtime_checkable
class Batches(Protocol[B_co]):
    """What the trainer asks for."""

    def at(self, step: int) -> B_co: ...


class Prefetched(Generic[B_co]):
    """Prepares the batches of the coming steps in a thread, while the caller works with this one's."""

    def __init__(self, batches: Batches[B_co], ahead: int) -> None:
        self._batches, self._ahead = batches, ahead
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._coming: dict[int, Future[B_co]] = {}

    def at(self, step: int) -> B_co:
        coming = {s: self._coming.pop(s, None) for s in range(step, step + self._ahead + 1)}
        for unwanted in self._coming.values():
            unwanted.cancel()
        self._coming = {s: future or self._pool.submit(self._batches.at, s) for s, future in coming.items()}
        return self._coming.pop(step).result()


@dataclass(frozen=True)
class LatentBatch:
    """Samples of one bucket, whose sequences have (nearly all) the same padded length."""

    latents: Float[Tensor, "b c h w"]  # fp32
    captions: list[Float[Tensor, "n d"]]  # fp32, one a sample
    ids: list[str]
    texts: list[str] = field(default_factory=list)  # of the captions, where a text tower is to read them

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class CaptionWeights:
    """How often a caption is drawn: first its language among those that a sample has, then its kind likewise.

    Weights are relative; what is not named weighs 1, and 0 excludes.
    """

    languages: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[str, float] = field(default_factory=dict)


class LatentBatches:
    """Batches of equal sequences from a budget of tokens, so a batch of shorter sequences has more of them.

    A sequence is the image tokens and the caption tokens, each padded to a multiple of 32 (Z-Image report, section 3:
    batches by sequence length, known from the metadata). Every epoch draws a caption for each sample, sorts the
    shuffled samples by bucket and length, cuts the row into batches of at most `token_budget` tokens, and shuffles
    these. So nothing repeats inside an epoch; only where the length changes a batch has two lengths.

    Raises InputError when a sequence alone exceeds the budget, or a sample is left without a caption by the weights.
    """

    def __init__(
        self,
        shards: LatentShards,
        *,
        token_budget: int,
        seed: int,
        patch_size: int,
        split: str = "train",
        weights: CaptionWeights | None = None,
        texts: bool = False,
    ) -> None:
        self.shards, self.token_budget, self.seeds, self.texts = shards, token_budget, Seeds(seed), texts
        self.samples = np.flatnonzero(np.array(shards.splits, dtype=object) == split)
        if len(self.samples) == 0:
            raise InputError(f"{shards.folder} has no samples of split {split!r}: it has {sorted(set(shards.splits))}")
        self._choice = _CaptionChoice(shards, self.samples, weights or CaptionWeights())
        pixels = np.array([bucket.width * bucket.height for bucket in shards.buckets])
        tokens = pixels // (shards.manifest.encoding.downscale * patch_size) ** 2
        self._image_length = _padded(tokens)[shards.bucket[self.samples]]
        longest = int((self._image_length + self._choice.longest).max())
        if longest > token_budget:
            raise InputError(f"a sequence of {longest} tokens does not fit a budget of {token_budget} tokens a batch")
        self._first_steps = [0]  # of the epochs known so far
        self._plan = lru_cache(maxsize=2)(self._make_plan)

    def at(self, step: int) -> LatentBatch:
        while self._first_steps[-1] <= step:
            self._first_steps.append(self._first_steps[-1] + len(self._plan(len(self._first_steps) - 1)))
        epoch = bisect.bisect_right(self._first_steps, step) - 1
        return self._load(*self._plan(epoch)[step - self._first_steps[epoch]])

    def epoch(self, epoch: int = 0) -> Iterator[LatentBatch]:
        """Every sample once: over the split "val", a validation set that is always the same."""
        for samples, captions in self._plan(epoch):
            yield self._load(samples, captions)

    def _make_plan(self, epoch: int) -> list[tuple[Int[ndarray, "b"], Int[ndarray, "b"]]]:
        """The batches of an epoch, each the samples and the captions drawn for them."""
        captions = self._choice.draw(self.seeds.numpy("captions", epoch))
        lengths = self._image_length + _padded(self.shards.captions.tokens[captions])
        rng = self.seeds.numpy("order", epoch)
        shuffled = rng.permutation(len(self.samples))
        buckets = self.shards.bucket[self.samples]
        row = shuffled[np.lexsort((lengths[shuffled], buckets[shuffled]))]
        cuts = _cut(lengths[row], buckets[row], self.token_budget)
        batches = [row[start:end] for start, end in itertools.pairwise(cuts)]
        return [(self.samples[batches[i]], captions[batches[i]]) for i in rng.permutation(len(batches))]

    def _load(self, samples: Int[ndarray, "b"], captions: Int[ndarray, "b"]) -> LatentBatch:
        return LatentBatch(
            latents=torch.stack([self.shards.latents(int(i)) for i in samples]).float(),
            captions=[self.shards.features(int(i), int(k)).float() for i, k in zip(samples, captions, strict=True)],
            ids=[self.shards.ids[i] for i in samples],
            texts=self.shards.caption_texts.take(captions).to_pylist() if self.texts else [],
        )


class _CaptionChoice:
    """Draws one caption for each of some samples, by the weights of language and kind."""

    def __init__(self, shards: LatentShards, samples: Int[ndarray, "n"], weights: CaptionWeights) -> None:
        table = shards.captions
        owner, caption = _captions_of(table, samples)
        weight = _probabilities(table, owner, caption, weights, len(samples))
        possible = weight > 0
        owner, self._caption, weight = owner[possible], caption[possible], weight[possible]
        self._count = np.bincount(owner, minlength=len(samples))
        if (without := np.flatnonzero(self._count == 0)).size:
            raise InputError(
                f"{without.size} samples of {shards.folder} have no caption that may be drawn, such as "
                f"{shards.ids[samples[without[0]]]!r}: give its language and kind a weight above 0"
            )
        self._first = np.cumsum(self._count) - self._count
        self._upto = np.cumsum(weight)  # each sample's probabilities sum to 1, so sample i's end at i + 1
        self.longest: Int[ndarray, n] = np.maximum.reduceat(_padded(table.tokens[self._caption]), self._first)

    def draw(self, rng: np.random.Generator) -> Int[ndarray, "n"]:
        """A caption for each sample, as an index into the table of all captions."""
        n = len(self._count)
        chosen = np.searchsorted(self._upto, np.arange(n) + rng.random(n), side="right")
        # Sums are rounded: the last of a sample must not become the first of the next.
        return self._caption[np.clip(chosen, self._first, self._first + self._count - 1)]


def _captions_of(table: CaptionTable, samples: Int[ndarray, "n"]) -> tuple[Int[ndarray, "m"], Int[ndarray, "m"]]:
    """All captions of some samples: for each the position of its sample in `samples`, and its own index."""
    first, count = table.first[samples], table.first[samples + 1] - table.first[samples]
    owner = np.repeat(np.arange(len(samples)), count)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    return owner, first[owner] + within


def _probabilities(
    table: CaptionTable, owner: Int[ndarray, "m"], caption: Int[ndarray, "m"], weights: CaptionWeights, samples: int
) -> Float[ndarray, "m"]:
    """P(language | sample)·P(caption | language, sample); all 0 for a sample without an allowed caption."""
    by_kind = np.array([weights.kinds.get(kind, 1.0) for kind in table.kinds])
    by_language = np.array([weights.languages.get(language, 1.0) for language in table.languages])
    language, kind = table.language[caption], by_kind[table.kind[caption]]
    pair = owner * len(table.languages) + language
    in_language = np.bincount(pair, weights=kind, minlength=samples * len(table.languages))
    spoken = (in_language.reshape(samples, -1) > 0) * by_language
    share = spoken / np.maximum(spoken.sum(1, keepdims=True), np.finfo(float).tiny)
    return share.reshape(-1)[pair] * kind / np.maximum(in_language[pair], np.finfo(float).tiny)


def _padded(tokens: Int[ndarray, "n"]) -> Int[ndarray, "n"]:
    return -(-tokens.astype(np.int64) // PAD) * PAD


def _cut(lengths: Int[ndarray, "n"], buckets: Int[ndarray, "n"], budget: int) -> list[int]:
    """Where to cut a row into runs of one bucket each, as long as their lengths' sum allows."""
    upto = np.concatenate([[0], np.cumsum(lengths)])
    bucket_ends = np.append(np.flatnonzero(np.diff(buckets)) + 1, len(buckets))
    cuts = [0]
    while cuts[-1] < len(lengths):
        within_budget = int(np.searchsorted(upto, upto[cuts[-1]] + budget, side="right")) - 1
        bucket_end = int(bucket_ends[np.searchsorted(bucket_ends, cuts[-1], side="right")])
        cuts.append(min(within_budget, bucket_end))
    return cuts
