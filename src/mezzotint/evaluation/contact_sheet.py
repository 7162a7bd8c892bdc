"""What the suites looked at, as one picture: every part with its captions, counted ones framed green, others red."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from mezzotint.evaluation.concept_list import spread
from mezzotint.evaluation.examination import Shown
from mezzotint.generation.pixels import to_pil
from mezzotint.runtime import atomic
from mezzotint.runtime.packages import fetch
from mezzotint.synthesis.scenes.text import FONTS

COLUMNS, MOST = 16, 48  # pictures in a row; pictures of a part, evenly chosen
CELL, CAPTION, FRAME = 132, 30, 2  # pixels
_FONT = "hei"  # it writes both languages
_FRAMES = {True: (40, 160, 70), False: (214, 40, 40), None: (200, 200, 200)}


def write_contact_sheet(path: Path, shown: Sequence[Shown]) -> None:
    """Nothing is written where nothing was shown."""
    if shown:
        with atomic.file(path) as temporary:
            contact_sheet(shown).save(temporary, format="PNG")


def contact_sheet(shown: Sequence[Shown]) -> Image.Image:
    """Part after part, each under its name."""
    font = ImageFont.truetype(str(fetch(FONTS[_FONT].package) / FONTS[_FONT].file), 11)
    parts = {name: [one for one in shown if one.part == name] for name in dict.fromkeys(one.part for one in shown)}
    strips = [_strip(name, spread(members, MOST), font) for name, members in parts.items()]
    sheet = Image.new("RGB", (COLUMNS * CELL, sum(strip.height for strip in strips)), "white")
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def _strip(name: str, members: Sequence[Shown], font: ImageFont.FreeTypeFont) -> Image.Image:
    rows = -(-len(members) // COLUMNS)
    strip = Image.new("RGB", (COLUMNS * CELL, 20 + rows * (CELL + CAPTION)), "white")
    draw = ImageDraw.Draw(strip)
    draw.text((4, 3), name, fill="black", font=font)
    for position, one in enumerate(members):
        row, column = divmod(position, COLUMNS)
        left, top = column * CELL, 20 + row * (CELL + CAPTION)
        (picture,) = to_pil(one.picture[None])
        picture.thumbnail((CELL - 2 * FRAME, CELL - 2 * FRAME))
        draw.rectangle((left, top, left + CELL - 1, top + CELL - 1), fill=_FRAMES[one.right])
        draw.rectangle((left + FRAME, top + FRAME, left + CELL - FRAME - 1, top + CELL - FRAME - 1), fill="white")
        strip.paste(picture, (left + (CELL - picture.width) // 2, top + (CELL - picture.height) // 2))
        draw.text((left + 2, top + CELL), _wrapped(one.caption, font), fill="black", font=font, spacing=1)
    return strip


def _wrapped(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Two lines at most, cut at the cell's width."""
    lines, rest = [], text
    for _ in range(2):
        fits = max(n for n in range(len(rest) + 1) if font.getlength(rest[:n]) <= CELL - 4)
        lines.append(rest[:fits])
        rest = rest[fits:]
    return "\n".join(lines)
