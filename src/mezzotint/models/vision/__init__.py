"""The vision tower of Z-Image Omni: SigLIP 2, which reads what a reference picture shows.

`model.py` is the tower, `pictures.py` how pictures come into it, `state_dict.py` the published names of its weights.
"""

from mezzotint.models.vision.config import SIGLIP2_SO400M, VisionTowerConfig
from mezzotint.models.vision.model import VisionTower
from mezzotint.models.vision.pictures import Grid, Preparation, patches_of
from mezzotint.models.vision.state_dict import from_published

__all__ = [
    "SIGLIP2_SO400M",
    "Grid",
    "Preparation",
    "VisionTower",
    "VisionTowerConfig",
    "from_published",
    "patches_of",
]
