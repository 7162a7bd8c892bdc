from pathlib import Path

import pytest
import torch
from tests.fixtures import small_packages

from mezzotint.data.records import read_records
from mezzotint.errors import InputError
from mezzotint.synthesis.colours import Paint
from mezzotint.synthesis.scenes.text import Fonts, words
from mezzotint.synthesis.scenes.truth import Background, Box, Object, Scene, Thing, Writing
from mezzotint.synthesis.scenes.truth_maps import (
    CHARACTERS,
    COLOURS,
    IGNORED,
    NOUNS,
    OWN,
    SceneBatches,
    character_classes,
    truth_maps,
)

FONTS = Fonts(small_packages.fetch, small_packages.FONTS)
RED = Paint(name="red", rgb=(220, 30, 30))
DOG, BALL = Thing(noun="1f415"), Thing(noun="ball", paint=RED)


def scene(objects: tuple[Object, ...] = (), writings: tuple[Writing, ...] = ()) -> Scene:
    return Scene(
        seed=0,
        index=0,
        kind="free",
        aspect=(1, 1),
        style=None,
        background=Background(kind="plain", paints=(RED,)),
        objects=objects,
        writings=writings,
    )


def at(thing: Thing, left: float, top: float, width: float, height: float) -> Object:
    return Object(thing=thing, box=Box(left=left, top=top, width=width, height=height))


def test_each_object_has_one_centre_and_its_classes_in_its_box():
    maps = truth_maps(scene((at(DOG, 0.0, 0.0, 0.5, 0.5), at(BALL, 0.5, 0.75, 0.25, 0.25))), 8, FONTS)
    assert (maps.centres == 1).nonzero().tolist() == [[2, 2], [7, 5]]
    dog, ball = NOUNS.index("1f415"), NOUNS.index("ball")
    assert maps.nouns[:4, :4].unique().tolist() == [dog]
    assert maps.nouns[6:, 4:6].unique().tolist() == [ball]
    assert (maps.nouns != IGNORED).sum() == 16 + 4
    assert maps.colours[0, 0] == COLOURS.index(OWN)
    assert maps.colours[7, 5] == COLOURS.index("red")
    assert (maps.characters == 0).all()


def test_who_lies_on_top_is_seen_and_the_smallest_thing_has_a_cell():
    maps = truth_maps(scene((at(DOG, 0.0, 0.0, 1.0, 1.0), at(BALL, 0.3, 0.3, 0.01, 0.01))), 8, FONTS)
    assert maps.nouns[2, 2] == NOUNS.index("ball")
    assert (maps.nouns == NOUNS.index("1f415")).sum() == 63
    assert maps.centres[2, 2] == maps.centres[4, 4] == 1


def test_a_character_lies_between_its_own_edges():
    """In a bold sans-serif "I" takes about a third of the width of "W", so of four cells for each three are W's."""
    box = Box(left=0.0, top=0.5, width=1.0, height=0.25)
    line = Writing(text="WI", language="en", font="sans-bold", paint=RED, box=box)
    maps = truth_maps(scene(writings=(line,)), 4, FONTS)
    w, i = character_classes("WI")
    assert maps.characters[2].tolist() == [w] * 6 + [i] * 2
    assert (maps.characters != 0).sum() == 8


def test_the_mirrored_truth_is_that_of_the_mirrored_scene():
    one = truth_maps(scene((at(DOG, 0.0, 0.0, 0.375, 0.5), at(BALL, 0.5, 0.75, 0.125, 0.25))), 8, FONTS)
    other = truth_maps(scene((at(DOG, 0.625, 0.0, 0.375, 0.5), at(BALL, 0.375, 0.75, 0.125, 0.25))), 8, FONTS)
    for name in ("centres", "nouns", "colours", "characters"):
        assert torch.equal(getattr(one.flipped(), name), getattr(other, name))


def test_every_word_can_be_spelled():
    for language in ("en", "zh"):
        for word in words(language):
            assert all(0 < one <= len(CHARACTERS) for one in character_classes(word))
    assert character_classes("a1") == character_classes("A1")


def batches(corpus: Path = small_packages.CORPUS, seed: int = 0, lettered: int = 1) -> SceneBatches:
    return SceneBatches(
        corpus,
        batch_size=3,
        lettered=lettered,
        size=32,
        grid=4,
        seed=seed,
        split="train",
        fonts=small_packages.FONTS,
        fetch=small_packages.fetch,
    )


def test_batches_depend_on_seed_and_step_only():
    one, other = batches(), batches()
    one.at(0)
    assert torch.equal(one.at(5).pictures, other.at(5).pictures)
    assert torch.equal(one.at(5).truth.nouns, other.at(5).truth.nouns)
    assert not torch.equal(batches(seed=1).at(5).pictures, one.at(5).pictures)
    count = sum(record.split == "train" for record in read_records(small_packages.CORPUS, parts=["scenes"]))
    assert len(one) == count
    assert one.at(0).pictures.shape == (3, 3, 32, 32)


def test_the_last_of_a_batch_are_random_strings():
    found = batches(lettered=2)
    written = [(found.at(step).truth.characters != 0).flatten(1).any(1).tolist() for step in range(3)]
    assert [row[1:] for row in written] == [[True, True]] * 3
    last = [found.at(step).truth.characters[-1] for step in range(3)]
    assert not torch.equal(last[0], last[1])
    assert not torch.equal(last[1], last[2])


def test_a_corpus_without_scenes_is_refused(tmp_path: Path):
    (tmp_path / "sprites").symlink_to(small_packages.CORPUS / "sprites")
    with pytest.raises(InputError, match="has no scenes of split 'train'"):
        batches(tmp_path)
