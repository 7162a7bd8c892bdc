"""Defects of known kinds, planted into pictures: what a funnel finds of them can be counted.

A defect is a function of a picture and a generator, and gives the file that a user would have. `plant` draws, for each
kind, other pictures from a pool, so that no picture has two defects, and says in TRUTH what it did.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from mezzotint.runtime import atomic

TRUTH = ".truth.jsonl"  # hidden: no part of what is curated

Defect = Callable[[Image.Image, np.random.Generator], bytes]


def rescaled(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """To 0.6 to 0.95 of its size, but not below 256 pixels."""
    scale = max(float(rng.uniform(0.6, 0.95)), 256 / min(picture.size))
    width, height = (round(scale * side) for side in picture.size)
    return _jpeg(picture.resize((width, height), Image.Resampling.LANCZOS))


def recompressed(picture: Image.Image, rng: np.random.Generator) -> bytes:
    return _jpeg(picture, int(rng.integers(40, 80)))


def cropped(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """By up to 1 % at each edge."""
    left, top, right, bottom = (float(share) for share in rng.uniform(0, 0.01, 4))
    width, height = picture.size
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    return _png(picture.crop((round(box[0]), round(box[1]), round(box[2]), round(box[3]))))


def recoloured(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """Channels up to 4 % brighter or darker."""
    gains = rng.uniform(0.96, 1.04, 3)
    return _png(_of(np.asarray(picture) * gains))


def truncated(picture: Image.Image, rng: np.random.Generator) -> bytes:
    data = _jpeg(picture)
    return data[: int(len(data) * rng.uniform(0.1, 0.95))]


def blurred(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """By a Gaussian of 1.2 to 2.5 % of the longer side."""
    return _jpeg(picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.012, 0.025)) * max(picture.size))))


def noisy(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """Gaussian noise of 25 to 45 levels."""
    shape = (picture.height, picture.width, 3)
    return _png(_of(np.asarray(picture) + float(rng.uniform(25, 45)) * rng.standard_normal(shape)))


def tinted(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """Contrast halved, then one or two channels down to a third."""
    gains = np.ones(3)
    gains[rng.permutation(3)[: int(rng.integers(1, 3))]] = rng.uniform(0.2, 0.4)
    return _jpeg(_of((64 + np.asarray(picture) / 2.0) * gains))


def darkened(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """To a mean luma of 3 to 12."""
    mean = max(float(np.asarray(picture.convert("L")).mean()), 1.0)
    return _png(_of(np.asarray(picture) * (float(rng.uniform(3, 12)) / mean)))


def blocky(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """A JPEG of quality 3 to 8, kept as such."""
    return _jpeg(picture, int(rng.integers(3, 9)))


def bordered(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """On a plain ground that is 10 to 25 % wider on each side."""
    colour = tuple(int(level) for level in rng.integers(0, 256, 3))
    across, down = (round(float(rng.uniform(0.1, 0.25)) * side) for side in picture.size)
    canvas = Image.new("RGB", (picture.width + 2 * across, picture.height + 2 * down), colour)
    canvas.paste(picture, (across, down))
    return _png(canvas)


def with_qr_code(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """On 30 to 45 % of the shorter side, anywhere."""
    return _with_code(picture, rng, zxingcpp.BarcodeFormat.QRCode, f"item {rng.integers(1 << 40)}")


def with_bar_code(picture: Image.Image, rng: np.random.Generator) -> bytes:
    digits = [int(digit) for digit in rng.integers(0, 10, 12)]
    check = -sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10
    text = "".join(map(str, [*digits, check]))
    return _with_code(picture, rng, zxingcpp.BarcodeFormat.EAN13, text)


def watermarked(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """A word all over, slanted, at an opacity of 25 to 45 %."""
    word = "".join(chr(int(letter)) for letter in rng.integers(65, 91, 6))
    size = max(12, round(min(picture.size) * float(rng.uniform(0.05, 0.08))))
    side = 2 * max(picture.size)
    layer = Image.new("L", (side, side))
    draw, font = ImageDraw.Draw(layer), ImageFont.load_default(size)
    across, down = round(draw.textlength(word, font) * 1.4), round(size * float(rng.uniform(2.2, 3.2)))
    for row, top in enumerate(range(0, side, down)):
        for left in range(-across * (row % 2) // 2, side, across):
            draw.text((left, top), word, 255, font)
    start = side // 4
    layer = layer.rotate(float(rng.uniform(-35, 35)), Image.Resampling.BILINEAR)
    layer = layer.crop((start, start, start + picture.width, start + picture.height))
    shade = 255 if np.asarray(picture.convert("L")).mean() < 140 else 0
    opacity = float(rng.uniform(0.25, 0.45))
    marked = picture.copy()
    marked.paste((shade,) * 3, mask=layer.point(lambda level: int(level * opacity)))
    return _jpeg(marked)


def pixelated(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """A part of 35 to 50 % of each side as a mosaic of 8 to 16 pixels a cell, where most is to be seen."""
    cell = int(rng.integers(8, 17))
    width, height = (round(side * float(rng.uniform(0.35, 0.5))) // cell * cell for side in picture.size)
    left, top = _busiest(picture, width, height)
    part = picture.crop((left, top, left + width, top + height))
    part = part.resize((width // cell, height // cell), Image.Resampling.BOX).resize((width, height), 0)
    hidden = picture.copy()
    hidden.paste(part, (left, top))
    return _jpeg(hidden)


NEAR_COPIES: Mapping[str, Defect] = {
    "rescaled": rescaled,
    "recompressed": recompressed,
    "cropped": cropped,
    "recoloured": recoloured,
}
DEFECTS: Mapping[str, Defect] = {
    "truncated": truncated,
    "blurred": blurred,
    "noisy": noisy,
    "tinted": tinted,
    "darkened": darkened,
    "blocky": blocky,
    "bordered": bordered,
    "qr code": with_qr_code,
    "bar code": with_bar_code,
    "watermarked": watermarked,
    "pixelated": pixelated,
}


CAPTION = "caption"  # the kind whose picture is as it was, beside a text that is no caption
_TEXTS = (
    *("IMG_{0}", "DSC0{0}.JPG", "photo {0}", "product-{0}-large.png", "image_{0}", "screenshot {0}"),
    *(
        "image",
        "Photo",
        "untitled",
        "No description available",
        "Click to enlarge",
        "stock photo",
        "loading...",
        "图片",
    ),
    *("https://example.com/{0}.jpg", "{{{{title}}}}", '<img src="{0}.jpg">', "{0}", "..."),
    *("I'm sorry, but I can't help with that.", "As an AI model, I cannot see images.", "抱歉，我无法描述这张图片。"),
)


def plant(folder: Path, pool: Sequence[tuple[str, bytes]], *, each: int, seed: int) -> None:
    """Write `each` files of every kind and, last, TRUTH: of each a line {"id": …, "kind": …, "of": the pool's picture}.

    Every picture of the pool is used at most once; there must be enough of them.
    """
    kinds = [*NEAR_COPIES, *DEFECTS, CAPTION]
    order = np.random.default_rng(seed).permutation(len(pool))
    assert len(order) >= each * len(kinds)
    lines = []
    for place, kind in enumerate(kinds):
        for number in range(each):
            identity, data = pool[order[place * each + number]]
            rng = np.random.default_rng([seed, place, number])
            file = folder / kind.replace(" ", "-") / f"{number:05d}.img"
            if kind == CAPTION:
                text = str(rng.choice(_TEXTS)).format(rng.integers(1000, 10000))
                atomic.write_text(file.with_suffix(".txt"), text)
                atomic.write_bytes(file, _png(on_white(data)))
            else:
                atomic.write_bytes(file, {**NEAR_COPIES, **DEFECTS}[kind](on_white(data), rng))
            lines.append({"id": file.relative_to(folder).as_posix(), "kind": kind, "of": identity})
    atomic.write_text(folder / TRUTH, "".join(json.dumps(line) + "\n" for line in lines))


def on_white(data: bytes) -> Image.Image:
    """An encoded picture as "RGB"."""
    with Image.open(io.BytesIO(data)) as file:
        picture = file.convert("RGBA")
    canvas = Image.new("RGB", picture.size, "white")
    canvas.paste(picture, mask=picture.getchannel("A"))
    return canvas


def _with_code(picture: Image.Image, rng: np.random.Generator, form: zxingcpp.BarcodeFormat, text: str) -> bytes:
    code = Image.fromarray(np.asarray(zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(text, form))))
    wanted = float(rng.uniform(0.3, 0.45)) * min(picture.size)
    times = max(2, round(wanted / max(code.size)))
    code = code.resize((code.width * times, code.height * times), Image.Resampling.NEAREST)
    left, top = (
        int(rng.integers(0, max(1, side - own + 1))) for side, own in zip(picture.size, code.size, strict=True)
    )
    marked = picture.copy()
    marked.paste(code.convert("RGB"), (left, top))
    return _jpeg(marked)


def _busiest(picture: Image.Image, width: int, height: int) -> tuple[int, int]:
    """Of a few places, the upper left corner of the one with the greatest variance."""
    luma = np.asarray(picture.convert("L"), np.float32)
    places = [
        ((picture.width - width) * x // 4, (picture.height - height) * y // 4) for x in range(5) for y in range(5)
    ]
    return max(places, key=lambda at: float(luma[at[1] : at[1] + height, at[0] : at[0] + width].var()))


def _of(levels: np.ndarray) -> Image.Image:
    return Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))


def _jpeg(picture: Image.Image, quality: int = 92) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=quality)
    return sink.getvalue()


def _png(picture: Image.Image) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, "PNG", compress_level=1)
    return sink.getvalue()
