"""How bright a picture is, and how many levels it uses."""

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

_BORDER = 0.02


def luma_mean(luma: UInt8[ndarray, "h w"]) -> float:
    """Mean luma (ITU-R BT.601), 0 black to 255 white."""
    return float(luma.mean())


def entropy(luma: UInt8[ndarray, "h w"]) -> float:
    """Shannon's entropy of the histogram of luma, in bits: 0 for one level, 8 for all 256 alike. Shannon (1948)."""
    shares = np.array(Image.fromarray(luma).histogram()) / luma.size
    shares = shares[shares > 0]
    return float(abs(shares @ np.log2(shares)))


def border_variance(luma: UInt8[ndarray, "h w"], border: float = _BORDER) -> float:
    """Variance of the luma in a frame of width `border` (share of the shorter side): near 0 for a plain or padded one.

    In grey levels squared, 0 to 16256. Z-Image report, section 2.1.
    """
    width = max(1, round(border * min(luma.shape)))
    frame = [luma[:width], luma[-width:], luma[width:-width, :width], luma[width:-width, -width:]]
    return float(np.concatenate([side.ravel() for side in frame]).var())
