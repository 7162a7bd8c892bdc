"""Which pictures are copies of which: exact ones by their digest, near ones by buckets of their perceptual hash.

One pass in the order in which pictures are to be kept. A picture is looked up among those that were kept before it: the
first that it is a copy of is the one that stays, so every dropped picture has a kept one in its place.

Two hashes that differ in at most 7 of 64 bits differ in at most 1 bit of one of their four 16-bit bands (or the four
would differ in 8). So a look-up of each band, and of each band with one bit flipped, finds every one of them; no pair
of pictures that share no such bucket is ever compared. A candidate is a copy where its thumbnail is alike too.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8, UInt64
from numpy import ndarray

VERSION = "1"
ORDER = "most pixels, then most bytes a pixel, then the first by id"
_BANDS, _WIDTH = 4, 16
_FLIPS = (0, *(1 << bit for bit in range(_WIDTH)))


@dataclass(frozen=True, kw_only=True)
class Alike:
    """What counts as a near copy. The limits are ours."""

    bits: int = 7  # of the hash; more are not looked for
    levels: float = 3.0  # root mean square of the thumbnails' difference, of 255

    def __post_init__(self) -> None:
        assert self.bits < 2 * _BANDS


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """What duplicates are told by, of n pictures."""

    ids: Sequence[str]
    sha256: Sequence[str]
    hashes: UInt64[ndarray, "n"]
    thumbnails: UInt8[ndarray, "n d"]
    pixels: Int[ndarray, "n"]
    file_bytes: Float[ndarray, "n"]


class Copy(NamedTuple):
    """Picture `copy` is dropped for picture `of`, by their positions."""

    copy: int
    of: int
    exact: bool


def keep_order(pictures: Pictures) -> list[int]:
    """The positions, best first: see ORDER."""
    density = pictures.file_bytes / np.maximum(pictures.pixels, 1)
    return sorted(range(len(density)), key=lambda i: (-int(pictures.pixels[i]), -float(density[i]), pictures.ids[i]))


def find_copies(pictures: Pictures, alike: Alike) -> Iterator[Copy]:
    """Every picture that is a copy of one that stays."""
    files: dict[str, int] = {}
    buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
    for position in keep_order(pictures):
        digest = pictures.sha256[position]
        if digest in files:
            yield Copy(position, files[digest], exact=True)
            continue
        bands = _bands(int(pictures.hashes[position]))
        original = _nearest(position, _candidates(buckets, bands), pictures, alike)
        if original is not None:
            files[digest] = original
            yield Copy(position, original, exact=False)
            continue
        files[digest] = position
        for bucket in bands:
            buckets[bucket].append(position)


def _bands(value: int) -> list[tuple[int, int]]:
    return [(band, value >> band * _WIDTH & ((1 << _WIDTH) - 1)) for band in range(_BANDS)]


def _candidates(buckets: dict[tuple[int, int], list[int]], bands: Iterable[tuple[int, int]]) -> list[int]:
    """The kept pictures in any bucket that is at most one bit away."""
    found: set[int] = set()
    for band, bits in bands:
        for flip in _FLIPS:
            found.update(buckets.get((band, bits ^ flip), ()))
    return sorted(found)


def _nearest(position: int, candidates: list[int], pictures: Pictures, alike: Alike) -> int | None:
    """The candidate that the picture is a copy of, the most alike where there are several."""
    if not candidates:
        return None
    among = np.array(candidates)
    among = among[np.bitwise_count(pictures.hashes[among] ^ pictures.hashes[position]) <= alike.bits]
    if not len(among):
        return None
    difference = pictures.thumbnails[among].astype(np.float32) - pictures.thumbnails[position]
    levels = np.sqrt((difference**2).mean(axis=1))
    best = int(levels.argmin())
    return int(among[best]) if levels[best] <= alike.levels else None
