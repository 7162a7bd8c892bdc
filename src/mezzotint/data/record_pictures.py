"""The pictures of records."""

import io
from pathlib import Path

from PIL import Image

from mezzotint.data.pictures import decode_bytes
from mezzotint.data.records import Record
from mezzotint.errors import FileFormatError, MissingFileError


def decode(record: Record, corpus: Path) -> Image.Image:
    """The picture of a record, upright, as "RGBA" when it has transparency and as "RGB" otherwise.

    Raises FileFormatError for a broken file, one that is not PNG, WebP or JPEG, or one with too many pixels.
    """
    data = io.BytesIO(encoded(record, corpus))
    return decode_bytes(data, f"the picture of record {record.id!r}", "build the corpus again")


def encoded(record: Record, corpus: Path) -> bytes:
    """The file of a record's picture. Raises FileFormatError and MissingFileError likewise."""
    if record.picture is not None:
        return record.picture
    if record.path is None:
        raise FileFormatError(f"record {record.id!r} has neither a picture nor a path to one: build the corpus again")
    path = (corpus / record.path).resolve()
    if not path.is_relative_to(corpus.resolve()):
        raise FileFormatError(f"record {record.id!r} names a picture outside of its corpus: {record.path}")
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}, the picture of record {record.id!r}, does not exist") from error
