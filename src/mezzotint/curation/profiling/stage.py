"""The stage that decodes each picture once and takes every measure of it; what it cannot read it drops."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import simplejpeg

from mezzotint.curation.profiling import captions, codes, colour, compression, hashes, light, overlays, sharpness
from mezzotint.curation.profiling.decoding import Picture, decode
from mezzotint.curation.stage import CPU, Outcome, Resources
from mezzotint.data.parquet import pa
from mezzotint.errors import FileFormatError

PREVIEW_QUALITY = 70

Measure = Callable[[Picture], float]

MEASURES: Mapping[str, Measure] = {
    "bit_depth": lambda p: p.header.bit_depth,
    "orientation": lambda p: p.header.orientation,
    "icc": lambda p: p.header.icc,
    "frames": lambda p: p.header.frames,
    "transparent": lambda p: p.header.transparent,
    "short_side": lambda p: min(p.header.width, p.header.height),
    "aspect": lambda p: max(p.header.width, p.header.height) / min(p.header.width, p.header.height),
    "file_bytes": lambda p: p.bytes,
    "compression_ratio": lambda p: compression.compression_ratio(p.header.width, p.header.height, p.bytes),
    "transient_jpeg": lambda p: compression.transient_jpeg(p.rgb),
    "blockiness": lambda p: compression.blockiness(p.patch),
    "border_variance": lambda p: light.border_variance(p.luma),
    "luma": lambda p: light.luma_mean(p.luma),
    "entropy": lambda p: light.entropy(p.luma),
    "saturation": lambda p: colour.saturation(p.rgb),
    "colour_cast": lambda p: colour.colour_cast(p.small),
    "clarity": lambda p: sharpness.clarity(p.luma),
    "texture": lambda p: sharpness.texture(p.luma),
    "noise": lambda p: sharpness.noise(p.patch),
    "mosaic": lambda p: overlays.mosaic(p.stored),
    "watermark": lambda p: overlays.repetition(p.luma),
    "qr_codes": lambda p: codes.matrix_codes(p.stored),
    "bar_codes": lambda p: codes.bar_codes(p.stored),
}

CaptionMeasure = Callable[[Sequence[str]], float]

# Of the texts that came with a picture; 0 where there are none.
CAPTION_MEASURES: Mapping[str, CaptionMeasure] = {
    "caption_count": len,
    "invalid_captions": lambda texts: sum(captions.invalid_caption(text) is not None for text in texts),
    "caption_tokens": lambda texts: max(map(captions.caption_tokens, texts), default=0),
}
ALL_MEASURES = (*MEASURES, *CAPTION_MEASURES)

# Beside the measures: what finds duplicates, and what a report shows.
OTHERS = (
    pa.field("format", pa.string()),
    pa.field("perceptual_hash", pa.uint64()),
    pa.field("thumbnail", pa.binary()),
    pa.field("preview", pa.binary()),  # a JPEG of at most 96x96 pixels
)
_RECORD = (pa.field("width", pa.int32()), pa.field("height", pa.int32()), pa.field("sha256", pa.string()))


@dataclass(frozen=True)
class Profile:
    """Fills in size and digest of the records and appends a column for each measure."""

    name: str = "profile"
    version: str = "8"
    resources: Resources = CPU
    reads: tuple[str, ...] = ("picture", "captions")

    @property
    def writes(self) -> tuple[pa.Field, ...]:
        return (*_RECORD, *(pa.field(name, pa.float64()) for name in ALL_MEASURES), *OTHERS)

    def __call__(self, batch: pa.RecordBatch) -> Outcome:
        pictures = (value.as_py() for value in batch.column("picture"))
        texts = ([caption["text"] for caption in of] for of in batch.column("captions").to_pylist())
        found = [profile(*both) for both in zip(pictures, texts, strict=True)]
        for field in self.writes:
            column = pa.array([row.get(field.name) for row, _ in found], field.type)
            index = batch.schema.get_field_index(field.name)
            batch = batch.append_column(field, column) if index < 0 else batch.set_column(index, field, column)
        return Outcome(batch, [reason for _, reason in found])


def profile(
    data: bytes, texts: Sequence[str] = (), measures: Mapping[str, Measure] = MEASURES
) -> tuple[dict[str, Any], str | None]:
    """The columns of one picture with its captions; or those of no picture, and why it cannot be read."""
    unread = {"width": 0, "height": 0, "sha256": hashes.sha256(data)}
    try:
        picture = decode(data)
    except FileFormatError as error:
        return unread, str(error)
    known = {
        "width": picture.header.width,
        "height": picture.header.height,
        "sha256": unread["sha256"],
        "format": picture.header.format,
        "perceptual_hash": hashes.perceptual_hash(picture.luma),
        "thumbnail": hashes.thumbnail(picture.rgb),
        "preview": simplejpeg.encode_jpeg(picture.small, quality=PREVIEW_QUALITY),
    }
    known |= {name: float(measure(picture)) for name, measure in measures.items()}
    return known | {name: float(measure(texts)) for name, measure in CAPTION_MEASURES.items()}, None
