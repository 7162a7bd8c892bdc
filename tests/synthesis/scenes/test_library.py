from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mezzotint.errors import MissingFileError
from mezzotint.synthesis.colours import OBJECT_COLOURS, Paint, distance
from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.library import SpriteLibrary, cut_out, tint


def test_a_cutout_is_cropped_to_what_is_seen() -> None:
    picture = Image.new("RGBA", (64, 64))
    picture.paste((0, 0, 200, 255), (10, 20, 50, 40))
    picture.paste((250, 250, 0, 255), (20, 25, 40, 35))  # not at the outline
    cutout = cut_out(picture)
    assert cutout.picture.size == (40, 20)
    assert cutout.shape == 2.0
    assert cutout.edge == (0, 0, 200)


def test_a_painted_drawing_is_mostly_of_its_colour(props: Props) -> None:
    """The nearest named colour to the typical pixel is the one that was asked for."""
    right = total = 0
    for style in props.sprites.styles:
        for code in props.sprites.codes(style):
            for name, colour in OBJECT_COLOURS.items():
                pixels = np.asarray(tint(props.sprites.cutout(code, style).picture, colour.rgb))
                seen = np.median(pixels[pixels[..., 3] > 200][:, :3].astype(float), axis=0)
                rgb = (int(seen[0]), int(seen[1]), int(seen[2]))
                right += min(OBJECT_COLOURS, key=lambda n: distance(rgb, OBJECT_COLOURS[n].rgb)) == name
                total += 1
    assert right / total > 0.93


def test_painting_keeps_the_outline_and_the_drawing(props: Props) -> None:
    picture = props.sprites.cutout("1f415", "noto").picture
    painted = tint(picture, (40, 90, 210))
    assert painted.getchannel("A").tobytes() == picture.getchannel("A").tobytes()
    grey = np.asarray(painted.convert("L"))[np.asarray(painted.getchannel("A")) > 200]
    assert np.percentile(grey, 95) - np.percentile(grey, 5) > 30


def test_things_are_shapes_or_sprites(props: Props) -> None:
    paint = Paint(name="red", rgb=(214, 40, 40))
    assert props.sprites.thing("ball", None, paint).edge == paint.rgb
    assert props.sprites.thing("1f415", "noto", paint).edge == paint.rgb
    assert props.sprites.thing("1f415", "noto", None).picture is props.sprites.cutout("1f415", "noto").picture


def test_sprites_of_other_splits_stay_out(props: Props) -> None:
    from tests.fixtures import small_packages

    from mezzotint.data.records import read_records

    kept_back = {
        (record.concept, record.style)
        for record in read_records(small_packages.CORPUS, parts=["sprites"])
        if record.split != "train"
    }
    assert kept_back
    for code, style in kept_back:
        assert code not in props.sprites.codes(style or "")


def test_a_folder_without_sprites_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no records in"):
        SpriteLibrary(tmp_path)
