"""ControlNet for Z-Image: a picture of edges, depths or poses leads the network, through hints added to its layers.

`model.py` is the network, `config.py` its sizes, `state_dict.py` the published names of its weights.
"""

from mezzotint.models.adapters.control.config import UNION_1, UNION_2_0, UNION_2_1, ControlConfig
from mezzotint.models.adapters.control.model import ControlNet
from mezzotint.models.adapters.control.state_dict import published_shapes, stream_published, to_published, used

__all__ = [
    "UNION_1",
    "UNION_2_0",
    "UNION_2_1",
    "ControlConfig",
    "ControlNet",
    "published_shapes",
    "stream_published",
    "to_published",
    "used",
]
