"""File formats of weights, each a lazy reader with bounds: names to stored tensors, nothing read until asked for.

`safetensors.py`, `gguf.py` (its numbers in `blocks.py`), `fp8.py`; `stored.py` is what they share. Pickles are refused
under any name, since reading one runs what it says. Nothing here imports torch until a tensor is read.
"""

from mezzotint.models.formats.opening import PICKLES, open_weights
from mezzotint.models.formats.stored import Outgoing, Reading, StoredTensor, WeightsFile, joined

__all__ = ["PICKLES", "Outgoing", "Reading", "StoredTensor", "WeightsFile", "joined", "open_weights"]
