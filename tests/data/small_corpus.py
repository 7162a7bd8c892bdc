"""A corpus of drawn shapes, small enough to be written in a test."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from mezzotint.data.records import Caption, Record, write_shard

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 60), "blue": (40, 70, 200), "gold": (230, 180, 30)}
CHINESE = {"red": "红色", "green": "绿色", "blue": "蓝色", "gold": "金色", "disc": "圆", "box": "方块"}


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def shape(colour: str, form: str, side: int = 48) -> Image.Image:
    """A cut-out with a clear border of an eighth of the side."""
    picture = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    box = (side // 8, side // 8, side - side // 8 - 1, side - side // 8 - 1)
    (draw.ellipse if form == "disc" else draw.rectangle)(box, fill=(*COLOURS[colour], 255))
    return picture


def record(id: str, picture: Image.Image, captions: Sequence[Caption], **fields: object) -> Record:
    data = encoded(picture)
    given: dict[str, object] = {
        "kind": "sprite" if picture.mode == "RGBA" else "scene",
        "source": "drawn@1",
        "licence": "CC0-1.0",
        "credit": "nobody",
        "split": "train",
    }
    return Record(
        id=id,
        picture=data,
        width=picture.width,
        height=picture.height,
        sha256=hashlib.sha256(data).hexdigest(),
        captions=tuple(captions),
        **(given | fields),  # type: ignore[arg-type]
    )


def captions(colour: str, form: str) -> list[Caption]:
    name, chinese = f"{colour} {form}", CHINESE[colour] + CHINESE[form]
    return [
        Caption("tags", "en", f"{colour}, {form}, drawing"),
        Caption("short", "en", f"a {name}"),
        Caption("long", "en", f"A drawing of a {name} on a plain white background, with a sharp edge."),
        Caption("short", "zh", chinese),
        Caption("long", "zh", f"一张{chinese}的图画，纯白背景，边缘清晰。"),
    ]


def sprites() -> list[Record]:
    return [
        record(
            f"sprite/{colour}-{form}",
            shape(colour, form),
            captions(colour, form),
            concept=form,
            group="round" if form == "disc" else "square",
            split="val" if (colour, form) == ("gold", "box") else "train",
        )
        for colour in COLOURS
        for form in ("disc", "box")
    ]


def scenes() -> list[Record]:
    """Opaque, wider than high."""
    return [
        record(f"scene/{name}", Image.new("RGB", (64, 40), rgb), [Caption("short", "en", f"all {name}")])
        for name, rgb in COLOURS.items()
    ]


def write_corpus(folder: Path, rows_per_shard: int = 3) -> Path:
    for part, records in (("sprites", sprites()), ("scenes", scenes())):
        for number, start in enumerate(range(0, len(records), rows_per_shard)):
            write_shard(folder / part / f"records-{number:05d}.parquet", records[start : start + rows_per_shard])
    return folder
