"""What a file of weights is, by the names in it, and the way between its names and the published ones.

The published names are those of the model folders (diffusers, transformers). The same weights circulate under others:
the original code's, which ComfyUI keeps, and llama.cpp's. `layout.py` is the contract, a file for each network has its
dialects and its sizes, `recognition.py` finds which a file speaks. Nothing here imports torch.
"""

from mezzotint.models.dialects.layout import Dialect, Stored
from mezzotint.models.dialects.recognition import (
    DIALECTS,
    PREFIXES,
    Recognized,
    dialect_of,
    guess,
    recognize,
    require,
)

__all__ = ["DIALECTS", "PREFIXES", "Dialect", "Recognized", "Stored", "dialect_of", "guess", "recognize", "require"]
