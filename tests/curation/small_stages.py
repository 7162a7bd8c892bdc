"""Stages that are small enough to be known by heart, and pictures to run them on."""

import io
import os
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mezzotint.curation.stage import CPU, Outcome, Resources
from mezzotint.data.parquet import pa

PNG = "PNG"


def png(shade: int = 128, size: tuple[int, int] = (8, 6)) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(sink, PNG)
    return sink.getvalue()


def write_pictures(folder: Path, count: int) -> Path:
    """`000.png`, `001.png`, …, each of another shade."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:03d}.png").write_bytes(png(number % 256))
    return folder


@dataclass(frozen=True)
class Length:
    """Bytes of the picture; what is longer than `most` is dropped. Each picture that it sees is noted in `log`."""

    most: int = 1 << 30
    log: Path | None = None
    seconds: float = 0.0  # that a batch takes
    name: str = "length"
    resources: Resources = CPU
    reads: tuple[str, ...] = ("picture",)
    writes: tuple[pa.Field, ...] = (pa.field("length", pa.int64()),)

    @property
    def version(self) -> str:
        return str(self.most)

    def __call__(self, batch: pa.RecordBatch) -> Outcome:
        time.sleep(self.seconds)
        if self.log is not None:
            with self.log.open("a") as log:
                log.write("".join(f"{identity}\n" for identity in batch.column("id").to_pylist()))
                log.flush()
                os.fsync(log.fileno())
        lengths = [len(picture) for picture in batch.column("picture").to_pylist()]
        reasons = [None if length <= self.most else f"longer than {self.most}" for length in lengths]
        return Outcome(batch.append_column(self.writes[0], pa.array(lengths, pa.int64())), reasons)


@dataclass(frozen=True)
class Odd:
    """Drops every second picture, by its name's last digit."""

    name: str = "odd"
    version: str = "1"
    resources: Resources = CPU
    reads: tuple[str, ...] = ("id", "length")
    writes: tuple[pa.Field, ...] = ()

    def __call__(self, batch: pa.RecordBatch) -> Outcome:
        names = batch.column("id").to_pylist()
        return Outcome(batch, [None if int(Path(name).stem[-1]) % 2 == 0 else "an odd number" for name in names])
