"""The autoencoder: between pictures and latents an eighth as wide and high, in the published `AutoencoderKL` layout."""

from mezzotint.models.autoencoder.config import FLUX, MINI, AutoencoderConfig
from mezzotint.models.autoencoder.initialization import init_weights
from mezzotint.models.autoencoder.latent_scaling import measure_latents, measure_scaling, normalize_latents
from mezzotint.models.autoencoder.model import Autoencoder, Posterior

__all__ = [
    "FLUX",
    "MINI",
    "Autoencoder",
    "AutoencoderConfig",
    "Posterior",
    "init_weights",
    "measure_latents",
    "measure_scaling",
    "normalize_latents",
]
