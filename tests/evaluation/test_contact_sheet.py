from pathlib import Path

import torch
from PIL import Image

from mezzotint.evaluation.contact_sheet import CAPTION, CELL, COLUMNS, contact_sheet, write_contact_sheet
from mezzotint.evaluation.examination import Shown


def shown(part: str, right: bool | None) -> Shown:
    return Shown(part=part, caption="a red apple 一个红苹果", picture=torch.zeros(3, 64, 32), right=right)


def test_a_part_has_rows_of_framed_pictures(cache: Path):
    sheet = contact_sheet([*[shown("concepts", True)] * (COLUMNS + 1), shown("text", False)])
    strip = 20 + CELL + CAPTION
    assert sheet.size == (COLUMNS * CELL, 20 + 2 * (CELL + CAPTION) + strip)
    assert sheet.getpixel((1, 21)) == (40, 160, 70)
    assert sheet.getpixel((1, sheet.height - strip + 21)) == (214, 40, 40)
    assert sheet.getpixel((CELL // 2, 20 + CELL // 2)) == (128, 128, 128)


def test_captions_are_drawn_in_both_languages(cache: Path):
    sheet = contact_sheet([shown("concepts", None)])
    below = sheet.crop((0, 20 + CELL, CELL, sheet.height)).convert("L")
    assert below.getextrema()[0] < 100


def test_nothing_shown_writes_nothing(tmp_path: Path, cache: Path):
    write_contact_sheet(tmp_path / "none.png", [])
    assert not (tmp_path / "none.png").exists()
    write_contact_sheet(tmp_path / "one.png", [shown("a", None)])
    with Image.open(tmp_path / "one.png") as sheet:
        assert sheet.width == COLUMNS * CELL
