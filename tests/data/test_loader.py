import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.test_shards import Sample, write

from mezzotint.data.buckets import Bucket, padded
from mezzotint.data.loader import CaptionWeights, LatentBatch, LatentBatches, Prefetched
from mezzotint.data.records import Caption
from mezzotint.data.shards import LatentShards
from mezzotint.errors import InputError

TRAIN = 90
BUCKETS = [Bucket(64, 64), Bucket(96, 64)]  # 16 and 24 tokens of 2x2 latents of 8 pixels
LONGEST = 32 + 96
BUDGETS = st.integers(LONGEST, 1500)
SEEDS = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> LatentShards:
    """Captions of 1 to 91 tokens (one more than characters), two kinds of English and one of Chinese."""
    samples = [
        Sample(
            id=str(number),
            split="train" if number < TRAIN else "val",
            bucket=BUCKETS[number % 2],
            captions=(
                Caption("short", "en", "s" * (number % 20)),
                Caption("long", "en", "l" * (number % 91)),
                Caption("short", "zh", "z" * (number % 40)),
            ),
        )
        for number in range(TRAIN + 10)
    ]
    return write(tmp_path_factory.mktemp("encoded"), [samples[:37], samples[37:]])


def batches_of(shards: LatentShards, budget: int = 512, seed: int = 0, **options) -> LatentBatches:
    return LatentBatches(shards, token_budget=budget, seed=seed, patch_size=2, **options)


def lengths(batch: LatentBatch) -> list[int]:
    tokens = batch.latents.shape[2] * batch.latents.shape[3] // 4
    return [padded(tokens) + padded(len(caption)) for caption in batch.captions]


def same(one: LatentBatch, other: LatentBatch) -> bool:
    return (
        one.ids == other.ids
        and torch.equal(one.latents, other.latents)
        and all(map(torch.equal, one.captions, other.captions))
    )


@given(budget=BUDGETS, seed=SEEDS, epoch=st.integers(0, 3))
def test_an_epoch_has_every_sample_once(shards: LatentShards, budget: int, seed: int, epoch: int) -> None:
    seen = [id for batch in batches_of(shards, budget, seed).epoch(epoch) for id in batch.ids]
    assert sorted(seen, key=int) == [str(number) for number in range(TRAIN)]


def test_texts_come_along_when_asked_for(shards: LatentShards) -> None:
    for batch in batches_of(shards, texts=True).epoch():
        assert [len(caption) for caption in batch.captions] == [len(text) + 1 for text in batch.texts]
        for id, text in zip(batch.ids, batch.texts, strict=True):
            assert len(text) in {int(id) % n for n in (20, 91, 40)}
    assert batches_of(shards).at(0).texts == []


@given(budget=BUDGETS, seed=SEEDS)
def test_the_budget_holds_and_is_used(shards: LatentShards, budget: int, seed: int) -> None:
    epoch = list(batches_of(shards, budget, seed).epoch())
    assert all(sum(lengths(batch)) <= budget for batch in epoch)
    smaller = [batch for batch in epoch if sum(lengths(batch)) + LONGEST <= budget]
    assert len(smaller) <= len(BUCKETS)  # the last of each bucket


@given(seed=SEEDS)
def test_lengths_are_grouped(shards: LatentShards, seed: int) -> None:
    """Three lengths a bucket, so at most two of its batches have more than one; shorter sequences: larger batches."""
    epoch = list(batches_of(shards, 512, seed).epoch())
    assert sum(len(set(lengths(batch))) > 1 for batch in epoch) <= 2 * len(BUCKETS)
    assert max(len(batch) for batch in epoch) == 512 // 64
    assert all(len(batch) <= 512 // max(lengths(batch)) or len(set(lengths(batch))) > 1 for batch in epoch)


@given(seed=SEEDS, steps=st.lists(st.integers(0, 100), min_size=1, max_size=5))
def test_a_batch_depends_on_seed_and_step_only(shards: LatentShards, seed: int, steps: list[int]) -> None:
    used = batches_of(shards, seed=seed)
    there = [used.at(step) for step in steps]
    for step, batch in zip(steps, there, strict=True):
        assert same(batch, batches_of(shards, seed=seed).at(step))


def test_steps_go_through_the_epochs(shards: LatentShards) -> None:
    batches = batches_of(shards)
    in_order = [batch for epoch in range(3) for batch in batches.epoch(epoch)]
    assert all(same(batch, batches.at(step)) for step, batch in enumerate(in_order))


def test_seeds_and_epochs_differ(shards: LatentShards) -> None:
    only_one = CaptionWeights(languages={"zh": 0.0}, kinds={"long": 0.0})  # so the lengths are the same each time

    def order(seed: int, epoch: int) -> list[str]:
        return [id for batch in batches_of(shards, seed=seed, weights=only_one).epoch(epoch) for id in batch.ids]

    orders = [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(one != other for one, other in itertools.combinations(orders, 2))


def test_numbers_are_the_samples_own(shards: LatentShards) -> None:
    for batch in batches_of(shards).epoch():
        assert batch.latents.dtype == torch.float32
        assert len(batch) == len(batch.ids) == len(batch.captions) == len(batch.latents)
        for id, latents, caption in zip(batch.ids, batch.latents, batch.captions, strict=True):
            index = int(id)
            assert torch.equal(latents, shards.latents(index).float())
            own = [shards.features(index, k) for k in range(3 * index, 3 * index + 3)]
            assert any(torch.equal(caption, features.float()) for features in own)


def test_the_other_splits_are_other_samples(shards: LatentShards) -> None:
    seen = {id for batch in batches_of(shards, split="val").epoch() for id in batch.ids}
    assert seen == {str(number) for number in range(TRAIN, TRAIN + 10)}
    with pytest.raises(InputError, match=r"no samples of split 'test': it has \['train', 'val'\]"):
        batches_of(shards, split="test")


# Captions ------------------------------------------------------------------------------------------------------------


def drawn(shards: LatentShards, weights: CaptionWeights, epochs: int = 60) -> Counter[tuple[str, str]]:
    """How often each kind and language was drawn."""
    batches, table = batches_of(shards, weights=weights), shards.captions
    chosen = np.concatenate([captions for epoch in range(epochs) for _, captions in batches._make_plan(epoch)])
    return Counter((table.kinds[table.kind[k]], table.languages[table.language[k]]) for k in chosen)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (CaptionWeights(), {("short", "en"): 0.25, ("long", "en"): 0.25, ("short", "zh"): 0.5}),
        (CaptionWeights(languages={"zh": 0.0}), {("short", "en"): 0.5, ("long", "en"): 0.5}),
        (CaptionWeights(kinds={"long": 3.0}), {("short", "en"): 0.125, ("long", "en"): 0.375, ("short", "zh"): 0.5}),
        (CaptionWeights(kinds={"short": 0.0}), {("long", "en"): 1.0}),
        (
            CaptionWeights(languages={"en": 0.8, "zh": 0.2}, kinds={"long": 0.0}),
            {("short", "en"): 0.8, ("short", "zh"): 0.2},
        ),
    ],
)
def test_captions_are_drawn_by_their_weights(
    shards: LatentShards, weights: CaptionWeights, expected: dict[tuple[str, str], float]
) -> None:
    counts = drawn(shards, weights)
    shares = {caption: count / counts.total() for caption, count in counts.items()}
    assert counts.total() == 60 * TRAIN
    assert shares == pytest.approx(expected, abs=0.03)  # 4 standard deviations


def test_weights_that_leave_a_sample_without_a_caption_are_refused(shards: LatentShards) -> None:
    with pytest.raises(InputError, match=r"90 samples of .* have no caption that may be drawn, such as '0'"):
        batches_of(shards, weights=CaptionWeights(languages={"en": 0.0, "zh": 0.0}))


def test_a_budget_below_one_sequence_is_refused(shards: LatentShards) -> None:
    with pytest.raises(InputError, match=f"a sequence of {LONGEST} tokens does not fit a budget of {LONGEST - 1}"):
        batches_of(shards, LONGEST - 1)
    batches_of(shards, LONGEST)


# Prefetching ---------------------------------------------------------------------------------------------------------


@given(steps=st.lists(st.integers(0, 8), max_size=12), ahead=st.integers(0, 3))
def test_prefetched_batches_are_the_same(shards: LatentShards, steps: list[int], ahead: int) -> None:
    plain = batches_of(shards)
    prefetched = Prefetched(batches_of(shards), ahead)
    assert all(same(prefetched.at(step), plain.at(step)) for step in steps)


def test_a_step_that_was_prepared_is_not_prepared_again() -> None:
    class Counting:
        def __init__(self) -> None:
            self.steps: list[int] = []

        def at(self, step: int) -> int:
            self.steps.append(step)
            return step

    counting = Counting()
    prefetched = Prefetched(counting, ahead=2)
    assert [prefetched.at(step) for step in range(20)] == list(range(20))
    assert counting.steps[:20] == list(range(20))
    assert len(counting.steps) <= 22


def test_an_error_while_preparing_reaches_the_step_that_it_belongs_to() -> None:
    class Broken:
        def at(self, step: int) -> int:
            if step == 1:
                raise InputError("broken picture")
            return step

    prefetched = Prefetched(Broken(), ahead=1)
    assert prefetched.at(0) == 0
    with pytest.raises(InputError, match="broken picture"):
        prefetched.at(1)
    assert prefetched.at(2) == 2
