from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from tests.recipes.tiny_runs import options

from mezzotint.data.picture_batches import PictureBatches
from mezzotint.recipes.autoencoder import beside_reconstructions
from mezzotint.recipes.tiny import tiny_vae


def test_diffusers_opens_what_is_exported_and_its_latents_are_normal(corpus: Path, towers: Path):
    autoencoder = AutoencoderKL.from_pretrained(towers / "vae")
    recipe = tiny_vae()
    batches = PictureBatches(corpus, batch_size=2, framing=recipe.framing, seed=0)
    pictures = torch.cat([batches.at(step).pictures for step in range(recipe.measured_batches)])
    with torch.no_grad():
        z = autoencoder.encode(pictures).latent_dist.mean
    latents = (z - autoencoder.config.shift_factor) * autoencoder.config.scaling_factor
    assert float(latents.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(latents.std(correction=0)) == pytest.approx(1.0, abs=1e-4)
    assert latents.std((0, 2, 3), correction=0).tolist() == pytest.approx([1.0] * 16, abs=0.2)


def test_export_leaves_the_training_state_as_it_was(corpus: Path, tmp_path: Path):
    run = tiny_vae().prepare(options(corpus, tmp_path / "run"))
    before = {name: tensor.clone() for name, tensor in run.state.tensors().items()}
    run.export(tmp_path / "model")
    after = run.state.tensors()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_the_sheet_shows_each_picture_beside_its_reconstruction(corpus: Path, tmp_path: Path):
    run = tiny_vae().prepare(options(corpus, tmp_path / "run"))
    pictures = torch.rand(3, 3, 32, 32) * 2 - 1
    sheet = beside_reconstructions(run.state, pictures)
    assert torch.equal(sheet[::2], pictures)
    with run.state.averaged() as autoencoder, torch.no_grad():
        assert torch.equal(sheet[1::2], autoencoder.decode(autoencoder.encode(pictures)))
