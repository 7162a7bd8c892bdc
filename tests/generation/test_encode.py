import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.data.small_corpus import record, scenes, shape, sprites, write_corpus
from tests.data.test_shard_writer import contents
from tests.generation.small_towers import write_towers

from mezzotint.data.buckets import Bucket
from mezzotint.data.loader import LatentBatches
from mezzotint.data.pictures import COLOURS, WHITE, Placement, place, to_tensor
from mezzotint.data.records import Caption, write_shard
from mezzotint.data.shards import LatentShards
from mezzotint.errors import FileFormatError, InputError
from mezzotint.generation.encode import (
    MARGIN,
    EncodeOptions,
    Encoders,
    View,
    encode_corpus,
    load_encoders,
    on_background,
    views,
)

SQUARE, WIDE = Bucket(32, 32), Bucket(48, 32)
OPTIONS = EncodeOptions(buckets=(SQUARE, WIDE), captions_per_picture=None, variants=3, seed=0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_towers(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def encoders(model: Path) -> Encoders:
    return load_encoders(model, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def encoded(corpus: Path, encoders: Encoders, tmp_path_factory: pytest.TempPathFactory) -> LatentShards:
    out = tmp_path_factory.mktemp("encoded")
    encode_corpus(corpus, out, encoders, OPTIONS, lambda records: None)
    return LatentShards(out)


def index_of(shards: LatentShards, id: str) -> int:
    return shards.ids.index(id)


# What is stored ------------------------------------------------------------------------------------------------------


def test_latents_are_those_of_the_picture(encoded: LatentShards, encoders: Encoders) -> None:
    placed = place(shape("red", "disc"), 32, 32, Placement(scale=MARGIN, anchor=(0.5, 0.5), background=WHITE))
    expected = encoders.pictures.encode(to_tensor([placed]))[0]
    stored = encoded.latents(index_of(encoded, "sprite/red-disc"))
    torch.testing.assert_close(stored.float(), expected.detach(), atol=2e-3, rtol=2e-3)


def test_features_are_those_of_the_text(encoded: LatentShards, encoders: Encoders) -> None:
    index = index_of(encoded, "sprite/red-disc")
    assert [caption.text for caption in encoded.texts(index)] == [c.text for c in sprites()[0].captions]
    for k, caption in enumerate(encoded.texts(index), start=int(encoded.captions.first[index])):
        [expected] = encoders.text.encode([caption.text])
        torch.testing.assert_close(encoded.features(index, k).float(), expected, atol=2e-3, rtol=2e-3)
    [empty] = encoders.text.encode([""])
    torch.testing.assert_close(encoded.empty_caption, empty, atol=2e-3, rtol=2e-3)


def test_every_record_is_there_in_its_variants(encoded: LatentShards) -> None:
    train = [sprite.id for sprite in sprites() if sprite.split == "train"]
    expected = {f"{id}{suffix}" for id in train for suffix in ("", "@1", "@2")}
    expected |= {"sprite/gold-box", *(scene.id for scene in scenes())}
    assert sorted(encoded.ids) == sorted(expected)
    assert [id for id, split in zip(encoded.ids, encoded.splits, strict=True) if split == "val"] == ["sprite/gold-box"]


def test_pictures_go_to_the_bucket_of_their_shape(encoded: LatentShards) -> None:
    buckets = dict(zip(encoded.ids, (encoded.buckets[b] for b in encoded.bucket), strict=True))
    assert {buckets[scene.id] for scene in scenes()} == {WIDE}
    assert {buckets[sprite.id] for sprite in sprites()} == {SQUARE}
    assert {buckets[id] for id in encoded.ids if "@" in id} == {SQUARE, WIDE}


def test_the_folder_feeds_training(encoded: LatentShards, model: Path) -> None:
    encoded.require_models(model)
    batches = LatentBatches(encoded, token_budget=2048, seed=0, patch_size=2)
    batch = batches.at(0)
    assert batch.latents.shape[1:] in {(4, 16, 16), (4, 16, 24)}
    assert {caption.shape[1] for caption in batch.captions} == {16}


def test_training_with_another_model_is_refused(encoded: LatentShards, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was encoded with another vae"):
        encoded.require_models(write_towers(tmp_path / "other", seed=1))


def test_a_record_without_captions_is_named(encoders: Encoders, tmp_path: Path) -> None:
    write_shard(tmp_path / "part" / "records-00000.parquet", [record("mute", shape("red", "box"), [])])
    with pytest.raises(FileFormatError, match="record 'mute' has no captions"):
        encode_corpus(tmp_path, tmp_path / "out", encoders, OPTIONS, lambda records: None)


def test_a_record_without_a_caption_of_the_kinds_is_named() -> None:
    with pytest.raises(FileFormatError, match=r"has no captions of the kinds alt, tagged"):
        views_of(caption_kinds=("alt", "tagged"))


@pytest.mark.parametrize(
    "change",
    [{"variants": 1}, {"seed": 1}, {"captions_per_picture": 2}, {"caption_kinds": ("long",)}, {"buckets": (SQUARE,)}],
)
def test_a_folder_of_other_options_is_refused(
    encoded: LatentShards, corpus: Path, encoders: Encoders, change: dict[str, object]
) -> None:
    with pytest.raises(InputError, match="was encoded otherwise"):
        encode_corpus(corpus, encoded.folder, encoders, replace(OPTIONS, **change), lambda records: None)


# Resuming ------------------------------------------------------------------------------------------------------------


def test_a_rerun_does_only_what_is_missing(corpus: Path, encoders: Encoders, encoded: LatentShards, tmp_path) -> None:
    class Stop(Exception):
        pass

    def stop_in_the_third_shard(records: int) -> None:
        done.append(records)
        if sum(done) == 7:
            raise Stop

    done: list[int] = []
    with pytest.raises(Stop):
        encode_corpus(corpus, tmp_path / "out", encoders, OPTIONS, stop_in_the_third_shard)
    done = []
    encode_corpus(corpus, tmp_path / "out", encoders, OPTIONS, done.append)
    assert sum(done) == len(sprites()) + len(scenes())
    assert done[:2] == [3, 1]  # the shards of the scenes were there
    assert contents(tmp_path / "out") == contents(encoded.folder)


@pytest.mark.slow
def test_the_command_killed_at_random_moments_ends_the_same(
    corpus: Path, model: Path, encoded: LatentShards, tmp_path: Path
) -> None:
    """Killed soon after it began the first, the third and the fifth of six shards."""
    out, moments = tmp_path / "out", random.Random(0)
    options = ["--model", model, "--out", out, "--sizes", "32", "48x32", "--variants", "3"]
    command = [sys.executable, "-m", "mezzotint", "encode", corpus, *options]
    for begun in (1, 3, 5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and len([path for path in out.glob("*") if path.is_dir()]) < begun:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        _, said = process.communicate()
        assert process.returncode == -signal.SIGKILL, said
    subprocess.run(command, check=True, capture_output=True)
    assert contents(out) == contents(encoded.folder)


# Views ---------------------------------------------------------------------------------------------------------------


def views_of(index: int = 0, **changes: object) -> list[View]:
    sprite = sprites()[index]
    return list(views(sprite, shape("red", "disc"), replace(OPTIONS, **changes)))


def test_variants_take_turns() -> None:
    first, coloured, moved, coloured_too = views_of(variants=4)
    assert (first.placement.scale, first.placement.anchor, first.placement.background) == (MARGIN, (0.5, 0.5), WHITE)
    assert coloured.placement.background in COLOURS
    assert coloured_too.placement.background in COLOURS
    assert coloured.placement.background.en != "red"  # the disc would not be seen
    assert moved.placement.background == WHITE
    assert moved.placement.anchor != (0.5, 0.5)


def test_views_depend_on_seed_record_and_variant_only() -> None:
    assert views_of(variants=5) == views_of(variants=9)[:5]
    assert views_of(0, variants=5)[1:] != views_of(0, variants=5, seed=1)[1:]
    placements = {tuple(view.placement for view in views_of(index, variants=5)[1:]) for index in range(6)}
    assert len(placements) == 6


def test_captions_stay_true() -> None:
    for view in views_of(variants=9):
        background = view.placement.background
        for caption in view.captions:
            says_white = "white" in caption.text or "白" in caption.text
            if background == WHITE:
                assert says_white == (caption.kind == "long")
            else:
                assert not says_white
                assert (background.zh if caption.language == "zh" else background.en) in caption.text


def test_opaque_pictures_have_one_view() -> None:
    [view] = views(scenes()[0], Image.new("RGB", (64, 40)), OPTIONS)
    assert view.placement.scale == 1.0


@settings(deadline=None)
@given(count=st.integers(1, 6), seed=st.integers(0, 1000))
def test_kept_captions_alternate_between_languages(count: int, seed: int) -> None:
    [view] = views_of(captions_per_picture=count, variants=1, seed=seed)
    assert len(view.captions) == min(count, 5)
    assert len(set(view.captions)) == len(view.captions)
    languages = Counter(caption.language for caption in view.captions)
    assert abs(languages["en"] - languages["zh"]) <= 1


def test_one_kept_caption_is_of_any_language_and_kind() -> None:
    kept = Counter(views_of(captions_per_picture=1, variants=1, seed=seed)[0].captions[0] for seed in range(100))
    assert set(kept) == set(sprites()[0].captions)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        (Caption("short", "en", "a cat"), "a cat on a blue background"),
        (Caption("long", "en", "A cat, with a tail."), "A cat, with a tail on a blue background."),
        (Caption("tags", "en", "cat, animal"), "cat, animal, blue background"),
        (Caption("long", "en", "A cat on a plain white background, flat."), "A cat on a blue background, flat."),
        (Caption("long", "en", "A cat on white, flat."), "A cat on a blue background, flat."),
        (Caption("long", "en", "A cat against a white background."), "A cat on a blue background."),
        (Caption("short", "zh", "一只猫"), "一只猫，蓝色背景"),
        (Caption("long", "zh", "一张猫的图标。"), "一张猫的图标，蓝色背景。"),
        (Caption("long", "zh", "一张猫的图标，纯白背景，平涂。"), "一张猫的图标，蓝色背景，平涂。"),
        (Caption("long", "zh", "一张猫的图标，背景为白色，平涂。"), "一张猫的图标，蓝色背景，平涂。"),
    ],
)
def test_the_background_is_said(caption: Caption, expected: str) -> None:
    blue = next(colour for colour in COLOURS if colour.en == "blue")
    assert on_background(caption, blue) == caption._replace(text=expected)


def test_the_article_fits_the_colour() -> None:
    orange = next(colour for colour in COLOURS if colour.en == "orange")
    assert on_background(Caption("short", "en", "a cat"), orange).text == "a cat on an orange background"


def test_a_view_shows_what_it_says() -> None:
    for view in views_of(variants=9):
        placed = np.asarray(place(shape("red", "disc"), view.bucket.width, view.bucket.height, view.placement))
        assert tuple(placed[0, 0]) == view.placement.background.rgb
        assert (np.abs(placed.astype(int) - (220, 30, 30)).max(-1) < 10).any()
