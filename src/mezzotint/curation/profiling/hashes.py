"""What tells pictures apart: the file's digest, the perceptual hash, and a thumbnail that confirms it."""

import hashlib
from functools import cache

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

THUMBNAIL = 16  # pixels of its sides
_SAMPLES, _LOW = 32, 8


def sha256(data: bytes) -> str:
    """Of the encoded file, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def perceptual_hash(luma: UInt8[ndarray, "h w"]) -> int:
    """64 bits: which of the 8x8 lowest frequencies of the 32x32 picture lie above their median.

    The DCT hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), section 3.2.1.
    A copy in another size or quality differs in few bits.
    """
    samples = Image.fromarray(luma).resize((_SAMPLES, _SAMPLES), Image.Resampling.BOX)
    basis = _lowest_cosines()
    low = (basis @ np.asarray(samples, np.float64) @ basis.T).round(3).ravel()  # exact zeros in a flat picture
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def thumbnail(rgb: UInt8[ndarray, "h w 3"]) -> bytes:
    """16x16 pixels of RGB, row by row, smoothed so that a copy in another size has nearly the same."""
    picture = Image.fromarray(rgb)
    return picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=3.0).tobytes()


@cache
def _lowest_cosines() -> Float[ndarray, "8 32"]:
    """The first rows of the DCT-II."""
    frequency, sample = np.ogrid[:_LOW, :_SAMPLES]
    return np.cos(np.pi * frequency * (2 * sample + 1) / (2 * _SAMPLES))
