import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fixtures import small_packages

from mezzotint.errors import FileFormatError
from mezzotint.synthesis.artwork import IconCollection, PictureFolder, render_svg
from mezzotint.synthesis.styles import STYLES

# The left half of a 10 × 10 view in red.
ICONS = {
    "icons": {"half": {"body": '<path fill="#f00" d="M0 0h5v10H0z"/>'}, "low": {"body": "<g/>", "height": 5}},
    "aliases": {"mirrored": {"parent": "half", "hFlip": True}, "again": {"parent": "mirrored", "hFlip": True}},
    "width": 10,
    "height": 10,
}


@pytest.fixture
def collection(tmp_path: Path) -> IconCollection:
    (tmp_path / "icons.json").write_text(json.dumps(ICONS))
    return IconCollection(tmp_path / "icons.json", {"1": "half", "2": "mirrored", "3": "again", "4": "absent"})


def red_side(picture: Image.Image) -> str:
    alpha = np.asarray(picture.getchannel("A"))
    return "left" if alpha[8, 2] == 255 and alpha[8, 13] == 0 else "right"


def test_an_icon_is_drawn_with_its_clear_parts_clear(collection: IconCollection) -> None:
    picture = collection.draw("1", 16)
    assert (picture.mode, picture.size) == ("RGBA", (16, 16))
    assert picture.getpixel((2, 8)) == (255, 0, 0, 255)
    assert picture.getpixel((13, 8))[3] == 0


def test_aliases_turn_the_drawing(collection: IconCollection) -> None:
    assert [red_side(collection.draw(code, 16)) for code in "123"] == ["left", "right", "left"]


def test_only_drawn_concepts_are_offered(collection: IconCollection) -> None:
    assert collection.codes() == {"1", "2", "3"}


def test_pictures_are_found_by_their_code_and_brought_to_size(tmp_path: Path) -> None:
    Image.new("RGBA", (32, 32), (0, 0, 255, 255)).save(tmp_path / "2708-fe0f.webp", lossless=True)
    folder = PictureFolder(tmp_path)
    assert folder.codes() == {"2708"}
    assert folder.draw("2708", 32).getpixel((5, 5)) == (0, 0, 255, 255)
    assert folder.draw("2708", 20).size == (20, 20)


def test_shrinking_leaves_no_dark_edge(tmp_path: Path) -> None:
    """The colour under clear pixels (black here) must not bleed into the outline."""
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    picture.paste((255, 255, 0, 255), (11, 11, 53, 53))
    picture.save(tmp_path / "1.png")
    drawn = np.asarray(PictureFolder(tmp_path).draw("1", 20))
    seen = drawn[drawn[..., 3] > 16]
    assert seen[:, :2].min() >= 250


def test_every_small_style_draws_every_small_concept() -> None:
    for name in small_packages.STYLES:
        artwork = STYLES[name].open(small_packages.fetch)
        assert len(artwork.codes()) == 24
        for code in sorted(artwork.codes())[:6]:
            alpha = np.asarray(artwork.draw(code, 48).getchannel("A"))
            assert 0.1 < (alpha > 128).mean() < 1.0


def test_no_system_font_is_read() -> None:
    """Otherwise machines would draw differently."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text y="8" font-size="9">a</text></svg>'
    assert render_svg(svg, 9).getbbox() is None


def test_a_broken_collection_is_named(tmp_path: Path) -> None:
    (tmp_path / "icons.json").write_text("{")
    with pytest.raises(FileFormatError, match=r"icons\.json is not readable JSON"):
        IconCollection(tmp_path / "icons.json", {})
