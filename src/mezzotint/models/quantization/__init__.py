"""Linear layers in fewer bits, filled while a file is read, so that no network ever stands unpacked in memory.

`linear.py` is what they share, `formats.py` puts them into a network. Ours instead of torchao's: on a processor they
are as fast or faster (docs/log.md), and they know the dynamic, blockwise and low-rank ones alike.
"""

from mezzotint.models.quantization.formats import (
    FORMATS,
    NAMES,
    STORED,
    check_format,
    keep_blocks,
    packed_weights,
    plain_places,
    quantizable,
    quantize_layers,
    stored_segments,
)
from mezzotint.models.quantization.linear import PackedLinear, QuantizedLinear

__all__ = [
    "FORMATS",
    "NAMES",
    "STORED",
    "PackedLinear",
    "QuantizedLinear",
    "check_format",
    "keep_blocks",
    "packed_weights",
    "plain_places",
    "quantizable",
    "quantize_layers",
    "stored_segments",
]
