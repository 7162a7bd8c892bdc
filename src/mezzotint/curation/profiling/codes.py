"""Codes that machines read: QR codes and their kin, and bar codes."""

import numpy as np
import zxingcpp
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

_FORMATS = zxingcpp.BarcodeFormat
_MATRIX = zxingcpp.BarcodeFormats((_FORMATS.QRCode, _FORMATS.MicroQRCode, _FORMATS.DataMatrix, _FORMATS.Aztec))
# Those whose check digits make it unlikely that stripes of something else pass for one.
_LINEAR = zxingcpp.BarcodeFormats((_FORMATS.EANUPC, _FORMATS.Code128, _FORMATS.Code93, _FORMATS.PDF417))
_SIDE = 1024  # pixels of the longer side, at most: a code that needs more is a detail of its picture


def matrix_codes(stored: UInt8[ndarray, "h w"]) -> int:
    """How many QR, Micro QR, Data Matrix and Aztec codes can be read, turned and inverted ones too."""
    return len(zxingcpp.read_barcodes(_bounded(stored), formats=_MATRIX))


def bar_codes(stored: UInt8[ndarray, "h w"]) -> int:
    """How many EAN, UPC, Code 128, Code 93 and PDF417 codes can be read."""
    return len(zxingcpp.read_barcodes(_bounded(stored), formats=_LINEAR))


def _bounded(stored: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "s t"]:
    factor = -(-max(stored.shape) // _SIDE)
    picture = Image.fromarray(stored)
    return np.asarray(picture.reduce(tuple(min(factor, length) for length in picture.size)))
