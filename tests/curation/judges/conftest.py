from collections.abc import Iterator

import pytest
import torch

from mezzotint.curation.vectors import catalogue
from mezzotint.curation.vectors.embedders import EfficientNetEmbedder
from mezzotint.perception.efficientnet import LITE0, EfficientNetLite


@pytest.fixture
def random_efficientnet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """By its name, the network with random weights: those that were trained come from a package."""

    def embedder(device: torch.device) -> EfficientNetEmbedder:
        torch.manual_seed(0)
        return EfficientNetEmbedder(EfficientNetLite(LITE0).eval(), device)

    monkeypatch.setitem(catalogue.EMBEDDERS, "efficientnet-lite0", embedder)
    catalogue.load_embedder.cache_clear()
    yield
    catalogue.load_embedder.cache_clear()
