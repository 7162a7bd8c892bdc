"""An embedder whose vectors can be known: what a picture's mean colour is, and which colour a text names."""

from collections.abc import Sequence

import numpy as np
from numpy import ndarray
from PIL import Image

from mezzotint.data.pictures import WHITE, Placement, place

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "gold": (0.8, 0.6, 0)}


class ColourEmbedder:
    """Pictures and texts in one space of three numbers."""

    width = 3

    def embed_pictures(self, pictures: Sequence[Image.Image]) -> ndarray:
        centred = Placement(scale=1.0, anchor=(0.5, 0.5), background=WHITE)
        means = np.array([np.asarray(place(p, 16, 16, centred), np.float32)[6:10, 6:10].mean((0, 1)) for p in pictures])
        return self._units(means + 1e-3)

    def embed_texts(self, texts: Sequence[str]) -> ndarray:
        named = [next((rgb for name, rgb in COLOURS.items() if name in text), (1, 1, 1)) for text in texts]
        return self._units(np.array(named, np.float32) + 1e-3)

    def _units(self, vectors: ndarray) -> ndarray:
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
