from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.small_corpus import record, scenes, shape, sprites, write_corpus

from mezzotint.data.picture_batches import Framing, PictureBatch, PictureBatches
from mezzotint.data.pictures import COLOURS, WHITE
from mezzotint.data.records import write_shard
from mezzotint.errors import FileFormatError, InputError

WHOLE = Framing(size=24, scales=(0.9, 0.9), colours=0.0)
JITTERED = Framing(size=24, scales=(0.5, 1.5), colours=0.5)
CROPPED = Framing(size=32, scales=(0.8, 1.2), colours=0.3, crop=16)
TRAIN_SPRITES = [sprite for sprite in sprites() if sprite.split == "train"]


def batches_of(corpus: Path, framing: Framing = WHOLE, batch_size: int = 4, seed: int = 0, **options) -> PictureBatches:
    return PictureBatches(corpus, batch_size=batch_size, framing=framing, seed=seed, **options)


def same(one: PictureBatch, other: PictureBatch) -> bool:
    return (
        torch.equal(one.pictures, other.pictures)
        and one.captions == other.captions
        and torch.equal(one.concepts, other.concepts)
        and one.ids == other.ids
    )


@given(
    seed=st.integers(0, 2**32),
    steps=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    framing=st.sampled_from([WHOLE, JITTERED, CROPPED]),
    batch_size=st.integers(1, 9),
)
def test_a_batch_depends_on_seed_and_step_only(
    corpus: Path, seed: int, steps: list[int], framing: Framing, batch_size: int
) -> None:
    used = batches_of(corpus, framing, batch_size, seed)
    there = [used.at(step) for step in steps]
    for step, batch in zip(steps, there, strict=True):
        assert same(batch, batches_of(corpus, framing, batch_size, seed).at(step))


@given(batch_size=st.integers(1, 20), seed=st.integers(0, 2**32))
def test_an_epoch_has_every_picture_once(corpus: Path, batch_size: int, seed: int) -> None:
    batches = batches_of(corpus, batch_size=batch_size, seed=seed)
    seen = [id for step in range(-(-3 * len(batches) // batch_size)) for id in batches.at(step).ids]
    whole = sorted(record.id for record in [*TRAIN_SPRITES, *scenes()])
    for epoch in range(3):
        assert sorted(seen[epoch * len(batches) : (epoch + 1) * len(batches)]) == whole


@pytest.mark.parametrize(("framing", "side"), [(WHOLE, 24), (JITTERED, 24), (CROPPED, 16)])
def test_a_batch_has_one_shape_and_range(corpus: Path, framing: Framing, side: int) -> None:
    batch = batches_of(corpus, framing, batch_size=11).at(0)
    assert batch.pictures.shape == (11, 3, side, side)
    assert batch.pictures.dtype == torch.float32
    assert batch.pictures.min() >= -1
    assert batch.pictures.max() <= 1
    assert len(batch) == 11


def test_what_belongs_to_a_picture_comes_with_it(corpus: Path) -> None:
    batch = batches_of(corpus, batch_size=len(TRAIN_SPRITES), parts=["sprites"]).at(0)
    by_id = {sprite.id: sprite for sprite in TRAIN_SPRITES}
    for id, captions, picture in zip(batch.ids, batch.captions, batch.pictures, strict=True):
        assert captions == by_id[id].captions
        box = id.endswith("-box")
        corner = picture[:, 5, 5]  # inside a box, outside of a disc
        assert bool(corner.min() < 0) == box
    same_form = batch.concepts[:, None] == batch.concepts[None]
    forms = [by_id[id].concept for id in batch.ids]
    assert same_form.tolist() == [[one == other for other in forms] for one in forms]


def test_pictures_without_a_concept_are_each_their_own(corpus: Path) -> None:
    concepts = batches_of(corpus, kinds=["scene"], batch_size=4).at(0).concepts
    assert len(set(concepts.tolist())) == 4


def test_backgrounds_are_white_or_named_colours(tmp_path: Path) -> None:
    clear = [record(str(number), shape("red", "disc"), []) for number in range(300)]
    write_shard(tmp_path / "part" / "records-00000.parquet", clear)
    batch = batches_of(tmp_path, Framing(size=16, scales=(0.8, 0.8), colours=0.25), batch_size=300).at(0)
    corners = ((batch.pictures[:, :, 0, 0] + 1) * 127.5).round().int().tolist()
    known = {colour.rgb for colour in (WHITE, *COLOURS)}
    assert {tuple(corner) for corner in corners} == known
    assert corners.count([255, 255, 255]) / 300 == pytest.approx(0.75, abs=0.08)


def test_a_range_of_one_scale_centres(corpus: Path) -> None:
    for picture in batches_of(corpus, parts=["sprites"], batch_size=7).at(0).pictures:
        assert torch.allclose(picture, picture.flip(1), atol=0.02)
        assert torch.allclose(picture, picture.flip(2), atol=0.02)


def test_crops_come_from_everywhere(tmp_path: Path) -> None:
    """Of a picture whose red grows to the right and whose green grows downwards."""
    ramp = Image.fromarray(np.tile(np.arange(32, dtype=np.uint8), (32, 1)))
    picture = Image.merge("RGB", [ramp, ramp.transpose(Image.Transpose.TRANSPOSE), Image.new("L", (32, 32))])
    write_shard(tmp_path / "part" / "records-00000.parquet", [record("gradient", picture, [])])
    framing = Framing(size=32, scales=(1.0, 1.0), colours=0.0, crop=16)
    batches = batches_of(tmp_path, framing, batch_size=400)
    corners = ((batches.at(0).pictures[:, :2, 0, 0] + 1) * 127.5).round()
    assert corners.min(0).values.tolist() == [0, 0]
    assert corners.max(0).values.tolist() == [16, 16]


def test_a_split_that_is_not_there_is_refused(corpus: Path) -> None:
    with pytest.raises(InputError, match="has no pictures of split 'test'"):
        batches_of(corpus, split="test")
    assert batches_of(corpus, split="val").at(3).ids == ["sprite/gold-box"] * 4


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    broken = vars(sprites()[0]) | {"picture": b"no picture", "id": "broken"}
    write_shard(tmp_path / "broken" / "records-00000.parquet", [type(sprites()[0])(**broken)])
    with pytest.raises(FileFormatError, match="the picture of record 'broken' cannot be decoded"):
        batches_of(tmp_path, parts=["broken"]).at(0)
