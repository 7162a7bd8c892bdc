import numpy as np
import pytest
import simplejpeg
from PIL import Image
from tests.curation.profiling.pictures import detailed, flat, smooth

from mezzotint.curation.profiling.stage import PREVIEW_QUALITY
from mezzotint.curation.registration import overlaid, worst_spot


def preview(picture: Image.Image) -> bytes:
    small = picture.reduce(-(-max(picture.size) // 96))
    return simplejpeg.encode_jpeg(np.asarray(small), quality=PREVIEW_QUALITY)


def square(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.resize((64, 64), Image.Resampling.BILINEAR), np.float32)


def test_a_picture_does_not_differ_from_itself() -> None:
    for picture in (detailed(), smooth(), Image.fromarray(flat(0)), Image.fromarray(flat(255))):
        assert worst_spot(preview(picture), preview(picture)) < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_copies_differ_nowhere_and_a_changed_spot_is_found(seed: int) -> None:
    picture = detailed((800, 640), seed)
    copies = {
        "smaller": picture.resize((560, 448), Image.Resampling.LANCZOS),
        "cropped": picture.crop((4, 2, 796, 637)),
        "recoloured": Image.fromarray((np.asarray(picture) * [1.0, 0.95, 0.97]).astype(np.uint8)),
    }
    for copy in copies.values():
        assert worst_spot(preview(picture), preview(copy)) < 1.5
    spotted = picture.copy()
    spotted.paste((255, 255, 255), (300, 300, 360, 360))
    spotted.paste((0, 0, 0), (360, 300, 420, 360))
    assert worst_spot(preview(picture), preview(spotted)) > 3
    assert worst_spot(preview(picture), preview(spotted)) == worst_spot(preview(spotted), preview(picture))
    assert worst_spot(preview(picture), preview(detailed((800, 640), seed + 50))) > 5


@pytest.mark.parametrize("seed", range(3))
def test_a_shift_a_stretch_and_a_change_of_colours_are_taken_out(seed: int) -> None:
    picture = smooth((640, 640), seed)
    whole = square(picture)
    cropped = square(picture.crop((15, 4, 640, 630))) * np.array([0.95, 1.05, 1.0], np.float32)
    left, before = (np.abs(one - whole)[4:-4, 4:-4].mean() for one in (overlaid(cropped, whole), cropped))
    assert left < 0.15 * before
