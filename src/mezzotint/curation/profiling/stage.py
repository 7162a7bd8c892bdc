"""The stage that decodes each picture once and takes every measure of it; what it cannot read it drops."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import simplejpeg

from mezzotint.curation.profiling import colour, compression, hashes, light, sharpness
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
}

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
    version: str = "2"
    resources: Resources = CPU
    reads: tuple[str, ...] = ("picture",)

    @property
    def writes(self) -> tuple[pa.Field, ...]:
        return (*_RECORD, *(pa.field(name, pa.float64()) for name in MEASURES), *OTHERS)

    def __call__(self, batch: pa.RecordBatch) -> Outcome:
        pictures = (value.as_py() for value in batch.column("picture"))
        found = [profile(picture) for picture in pictures]
        for field in self.writes:
            column = pa.array([row.get(field.name) for row, _ in found], field.type)
            index = batch.schema.get_field_index(field.name)
            batch = batch.append_column(field, column) if index < 0 else batch.set_column(index, field, column)
        return Outcome(batch, [reason for _, reason in found])


def profile(data: bytes) -> tuple[dict[str, Any], str | None]:
    """The columns of one picture; or those of no picture, and why it cannot be read."""
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
    return known | {name: float(measure(picture)) for name, measure in MEASURES.items()}, None
