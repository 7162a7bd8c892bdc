"""Qwen2.5-VL, the text encoder of Qwen-Image: a language model that also reads pictures.

`model.py` is the tower, `pictures.py` how pictures come into it, `state_dict.py` the published names of its weights.
"""

from mezzotint.models.vision_language.config import (
    QWEN2_5_VL_7B,
    LanguageConfig,
    VisionConfig,
    VisionLanguageConfig,
)
from mezzotint.models.vision_language.model import PICTURE, Seen, VisionLanguageTower
from mezzotint.models.vision_language.pictures import PUBLISHED_LIMITS, Patches, PixelLimits, patches_of
from mezzotint.models.vision_language.state_dict import from_published, to_published

__all__ = [
    "PICTURE",
    "PUBLISHED_LIMITS",
    "QWEN2_5_VL_7B",
    "LanguageConfig",
    "Patches",
    "PixelLimits",
    "Seen",
    "VisionConfig",
    "VisionLanguageConfig",
    "VisionLanguageTower",
    "from_published",
    "patches_of",
    "to_published",
]
