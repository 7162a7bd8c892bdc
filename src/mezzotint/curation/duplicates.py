"""Which pictures are copies of which: exact ones by their digest, near ones by buckets of two perceptual hashes.

One pass in the order in which pictures are to be kept. A picture is looked up among those that were kept before it: the
first that it is a copy of is the one that stays, so every dropped picture has a kept one in its place.

Two hashes that differ in at most 7 of 64 bits differ in at most 1 bit of one of their four 16-bit bands (or the four
would differ in 8). So a look-up of each band, and of each band with one bit flipped, finds every one of them; no pair
of pictures that share no such bucket is ever compared. A candidate is a copy where its thumbnail is alike too, once a
small crop and a change of colours are taken out, and then its preview has no spot that differs: frames of a camera that
stands still, and drawings of one series, differ in a spot alone. The second hash is of the thumbnail: in a flat drawing
the first one's bits hang on the last digits.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from einops import rearrange, reduce
from jaxtyping import Float, Int, UInt8, UInt64
from numpy import ndarray

from mezzotint.curation.profiling.hashes import THUMBNAIL
from mezzotint.curation.registration import worst_spot

VERSION = "3"
ORDER = "most pixels, then most bytes a pixel, then the first by id"
_BANDS, _WIDTH = 4, 16
_FLIPS = (0, *(1 << bit for bit in range(_WIDTH)))
_MOVED, _COLOURED = 0.5, 0.08  # pixels of the thumbnail (3 %), at its edges and as a whole; share of a channel
_HOPELESS = 30.0  # levels, before anything is taken out
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, kw_only=True)
class Alike:
    """What counts as a near copy. The limits are ours."""

    bits: int = 7  # of either hash; more are not looked for
    levels: float = 8.0  # of 255: root mean square of what sets the thumbnails apart, see `difference`
    spot: float = 1.5  # of the previews, see `worst_spot`

    def __post_init__(self) -> None:
        assert self.bits < 2 * _BANDS


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """What duplicates are told by, of n pictures."""

    ids: Sequence[str]
    sha256: Sequence[str]
    hashes: UInt64[ndarray, "n k"]  # any of them may be near
    thumbnails: UInt8[ndarray, "n d"]
    previews: Sequence[bytes]  # JPEGs
    pixels: Int[ndarray, "n"]
    file_bytes: Float[ndarray, "n"]


_Bucket = tuple[int, int, int]  # which hash, which band of it, the band's bits


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
    buckets: dict[_Bucket, list[int]] = defaultdict(list)
    for position in keep_order(pictures):
        digest = pictures.sha256[position]
        if digest in files:
            yield Copy(position, files[digest], exact=True)
            continue
        bands = [
            (kind, *band) for kind, value in enumerate(pictures.hashes[position].tolist()) for band in _bands(value)
        ]
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


def _candidates(buckets: Mapping[_Bucket, list[int]], bands: Iterable[_Bucket]) -> list[int]:
    """The kept pictures in any bucket that is at most one bit away."""
    found: set[int] = set()
    for kind, band, bits in bands:
        for flip in _FLIPS:
            found.update(buckets.get((kind, band, bits ^ flip), ()))
    return sorted(found)


def _nearest(
    position: int,
    candidates: list[int],
    pictures: Pictures,
    alike: Alike,
) -> int | None:
    """The candidate that the picture is a copy of, the one with the most like thumbnail where there are several."""
    among = np.array(candidates, np.int64)
    among = among[(np.bitwise_count(pictures.hashes[among] ^ pictures.hashes[position]) <= alike.bits).any(axis=1)]
    thumbnails, previews = pictures.thumbnails, pictures.previews
    plain = thumbnails[among].astype(np.float32) - thumbnails[position]
    among = among[(plain**2).mean(axis=1) <= _HOPELESS**2]
    levels = {int(other): difference(thumbnails[position], thumbnails[other]) for other in among}
    likely = sorted((one for one, level in levels.items() if level <= alike.levels), key=lambda one: levels[one])
    return next((one for one in likely if worst_spot(previews[position], previews[one]) <= alike.spot), None)


def mean_hashes(thumbnails: UInt8[ndarray, "n d"]) -> UInt64[ndarray, "n"]:
    """64 bits of each: which of 8x8 cells are brighter than their mean. Zauner (2010), section 3.2.4, of thumbnails."""
    luma = _square(thumbnails) @ _LUMA
    cells = reduce(luma, "n (i a) (j b) -> n (i j)", "mean", i=8, j=8)
    bits = np.packbits(cells > cells.mean(axis=1, keepdims=True) + 0.5, axis=1)
    return bits.view(">u8").astype(np.uint64).ravel()


def difference(one: UInt8[ndarray, "d"], other: UInt8[ndarray, "d"]) -> float:
    """What sets two thumbnails apart, root mean square in levels, less what a small crop or change of colours explains.

    The crop to first order, as a shift and a stretch of each axis along the gradient (Lucas & Kanade 1981); the colours
    as a factor of each channel. The smaller of both directions, since one of them may be sharper.
    """
    a, b = _square(one), _square(other)
    return min(_unexplained(a, b), _unexplained(b, a))


def _unexplained(a: Float[ndarray, "s s 3"], b: Float[ndarray, "s s 3"]) -> float:
    down, across = np.gradient(a, axis=(0, 1))
    place = np.linspace(-1, 1, len(a), dtype=np.float32)
    x, y = place[None, :, None], place[:, None, None]
    channels = [a * unit for unit in np.eye(3, dtype=np.float32)]
    columns = np.stack([part.ravel() for part in (across, across * x, down, down * y, *channels)], axis=1)
    wanted = (b - a).ravel()
    gram = columns.T @ columns
    shares = np.linalg.solve(gram + np.eye(len(gram)) * (1e-3 * np.trace(gram) / len(gram) + 1e-6), columns.T @ wanted)
    bounds = np.array([_MOVED] * 4 + [_COLOURED] * 3)
    return float(np.sqrt(np.mean((wanted - columns @ shares.clip(-bounds, bounds)) ** 2)))


def _square(thumbnails: UInt8[ndarray, "*n d"]) -> Float[ndarray, "*n s s 3"]:
    return rearrange(thumbnails, "... (i j c) -> ... i j c", i=THUMBNAIL, j=THUMBNAIL).astype(np.float32)
