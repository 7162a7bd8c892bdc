"""Resolution buckets: every picture is brought to one of a few sizes, so that a batch has one shape."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mezzotint.errors import InputError

PAD = 32
"""Caption tokens and image tokens are padded to multiples of this, separately (Z-Image; see docs/architecture.md)."""


def padded(tokens: int) -> int:
    """The length of a sequence part inside the network."""
    return math.ceil(tokens / PAD) * PAD


@dataclass(frozen=True, order=True)
class Bucket:
    """A picture size, in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def parse(text: str, multiple: int) -> Bucket:
    """The bucket that "160x96" or "128" (a square) names; its sides must be multiples of `multiple` pixels."""
    match = re.fullmatch(r"([0-9]{1,5})(?:x([0-9]{1,5}))?", text)
    if match is None:
        raise InputError(f"size {text!r} is not WIDTHxHEIGHT, such as 160x96, nor one number, such as 128")
    width, height = int(match[1]), int(match[2] or match[1])
    if min(width, height) == 0 or width % multiple or height % multiple:
        nearest = "x".join(str(max(multiple, round(side / multiple) * multiple)) for side in (width, height))
        raise InputError(f"size {text} will not do: sides must be multiples of {multiple}, such as {nearest}")
    return Bucket(width, height)


def assign(width: int, height: int, buckets: Sequence[Bucket]) -> Bucket:
    """The bucket whose aspect ratio is nearest to the picture's; among equals, the first one named."""
    ratio = math.log(width / height)
    return min(buckets, key=lambda bucket: abs(math.log(bucket.width / bucket.height) - ratio))
