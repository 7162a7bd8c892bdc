"""How colourful a picture is, and whether one colour lies over all of it."""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

_WHITE = (0.95047, 1.0, 1.08883)  # D65
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
_TO_XYZ = (_XYZ / np.array(_WHITE)[:, None]).T.astype(np.float32)


def saturation(rgb: UInt8[ndarray, "h w 3"]) -> float:
    """Mean saturation of HSV, (max − min) / max, with 0 for black: 0 grey to 1 pure colours. Smith (1978)."""
    red, green, blue = (np.ascontiguousarray(rgb[..., channel]) for channel in range(3))
    most = np.maximum(np.maximum(red, green), blue)
    least = np.minimum(np.minimum(red, green), blue)
    return float(((most - least) / np.maximum(most, 1).astype(np.float32)).mean())


def colour_cast(small: UInt8[ndarray, "h w 3"]) -> float:
    """How far the cloud of colours lies off neutral: the distance of its middle from grey, less its radius, in CIELAB.

    Positive: no part of the picture's colours is neutral, as under a cast, and in a picture of one colour. The
    "equivalent circle" of Gasparini & Schettini, "Color balancing of digital photos using simple image statistics"
    (2004). A small picture is enough.
    """
    ab = _lab(small)[:, 1:]
    distance = np.linalg.norm(ab.mean(axis=0))
    radius = np.linalg.norm(ab.std(axis=0))
    return float(distance - radius)


def _lab(rgb: UInt8[ndarray, "h w 3"]) -> Float[ndarray, "n 3"]:
    """sRGB to CIELAB under D65."""
    xyz = _LINEAR[rgb].reshape(-1, 3) @ _TO_XYZ
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
