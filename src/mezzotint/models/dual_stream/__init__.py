"""MMDiT, the dual-stream diffusion transformer of Qwen-Image (arXiv 2508.02324): caption and picture, each with its own
weights, meet in attention.

`model.py` is the network, `geometry.py` where its tokens lie, `rotary.py` how they know it, `state_dict.py` the
published names of its weights.
"""

from mezzotint.models.captions import Captions
from mezzotint.models.dual_stream.config import QWEN_IMAGE, DualStreamConfig
from mezzotint.models.dual_stream.model import DualStreamTransformer
from mezzotint.models.dual_stream.state_dict import (
    as_they_are,
    from_published,
    matrix_rows,
    published_shapes,
    stream_published,
    to_published,
)
from mezzotint.models.fused_weights import Rows

__all__ = [
    "QWEN_IMAGE",
    "Captions",
    "DualStreamConfig",
    "DualStreamTransformer",
    "Rows",
    "as_they_are",
    "from_published",
    "matrix_rows",
    "published_shapes",
    "stream_published",
    "to_published",
]
