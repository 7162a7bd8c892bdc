from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mezzotint.training.grid import sheet, write_sheet


def test_pictures_lie_row_by_row():
    pictures = torch.stack([torch.full((3, 4, 6), value) for value in (-1.0, 0.0, 0.5, 2.0)])
    pixels = np.asarray(sheet(pictures, columns=2))
    assert pixels.shape == (2 * (4 + 2), 2 * (6 + 2), 3)
    assert [pixels[y, x, 0] for y, x in ((0, 0), (0, 8), (6, 0), (6, 8))] == [0, 128, 191, 255]


def test_missing_cells_are_white():
    pixels = np.asarray(sheet(-torch.ones(3, 3, 4, 4)))
    assert pixels.shape == (12, 12, 3)
    assert pixels[:4, 6:10].max() == 0
    assert pixels[6:, 6:].min() == 255


def test_write_sheet(tmp_path: Path):
    write_sheet(tmp_path / "samples" / "a.png", torch.zeros(1, 3, 8, 8))
    with Image.open(tmp_path / "samples" / "a.png") as picture:
        assert picture.size == (10, 10)
