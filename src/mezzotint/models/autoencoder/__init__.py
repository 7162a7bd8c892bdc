"""The autoencoder: between pictures and latents an eighth as wide and high, in the published layouts.

`model.py` is `AutoencoderKL`, Z-Image's and ours; `qwen_image.py` is Qwen-Image's.
"""

from mezzotint.models.autoencoder.config import FLUX, MINI, AutoencoderConfig
from mezzotint.models.autoencoder.initialization import init_weights
from mezzotint.models.autoencoder.latent_scaling import measure_latents, measure_scaling, normalize_latents
from mezzotint.models.autoencoder.model import Autoencoder, Posterior
from mezzotint.models.autoencoder.qwen_image import QWEN_IMAGE, QwenImageAutoencoder, QwenImageAutoencoderConfig

__all__ = [
    "FLUX",
    "MINI",
    "QWEN_IMAGE",
    "Autoencoder",
    "AutoencoderConfig",
    "Posterior",
    "QwenImageAutoencoder",
    "QwenImageAutoencoderConfig",
    "init_weights",
    "measure_latents",
    "measure_scaling",
    "normalize_latents",
]
