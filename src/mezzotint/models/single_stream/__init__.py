"""S3-DiT, the single-stream diffusion transformer of Z-Image (arXiv 2511.22699): caption and picture in one sequence.

`model.py` is the network, `geometry.py` where its tokens lie, `rotary.py` how they know it, `state_dict.py` the
published names of its weights. `omni.py` and `omni_geometry.py` are the same for pictures made from pictures.
"""

from mezzotint.models.captions import Captions
from mezzotint.models.fused_weights import Rows
from mezzotint.models.single_stream.config import MINI, Z_IMAGE_6B, SingleStreamConfig
from mezzotint.models.single_stream.model import SingleStreamTransformer, init_weights
from mezzotint.models.single_stream.omni import OmniCondition, OmniTransformer
from mezzotint.models.single_stream.state_dict import (
    as_they_are,
    from_published,
    matrix_rows,
    published_shapes,
    stream_published,
    to_published,
)

__all__ = [
    "MINI",
    "Z_IMAGE_6B",
    "Captions",
    "OmniCondition",
    "OmniTransformer",
    "Rows",
    "SingleStreamConfig",
    "SingleStreamTransformer",
    "as_they_are",
    "from_published",
    "init_weights",
    "matrix_rows",
    "published_shapes",
    "stream_published",
    "to_published",
]
