"""A whole Qwen-Image folder, tiny, of the real classes, with random weights; for editing it has a processor too."""

from dataclasses import replace
from pathlib import Path

import torch
from tests.models.dual_stream.oracle import random_oracle
from tests.models.vision_language.small_tower import randomize, small_config, small_tokenizer

from mezzotint.models import bundle, text, vision_language
from mezzotint.models.autoencoder import QwenImageAutoencoder, QwenImageAutoencoderConfig
from mezzotint.models.dual_stream import DualStreamConfig
from mezzotint.runtime import atomic

TRANSFORMER = DualStreamConfig(
    patch_size=2,
    latent_channels=16,
    n_layers=2,
    n_heads=2,
    head_dim=24,
    text_dim=48,
    axes_dims=(4, 10, 10),
    zero_cond_t=False,
)
AUTOENCODER = QwenImageAutoencoderConfig(
    base_dim=4,
    dim_mult=(1, 2, 2, 2),
    z_dim=16,
    num_res_blocks=1,
    temperal_downsample=(False, True, True),
    latents_mean=tuple(0.1 * i - 0.7 for i in range(16)),
    latents_std=tuple(0.5 + 0.1 * i for i in range(16)),
)
# The dynamic shift of the release.
SCHEDULER = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "base_image_seq_len": 256,
    "base_shift": 0.5,
    "max_image_seq_len": 8192,
    "max_shift": 0.9,
    "num_train_timesteps": 1000,
    "shift": 1.0,
    "shift_terminal": 0.02,
    "time_shift_type": "exponential",
    "use_dynamic_shifting": True,
}
DEFAULTS = {"steps": 3, "guidance": 2.0, "width": 96, "height": 64}
PROCESSOR = {"min_pixels": 64, "max_pixels": 4096, "patch_size": 4, "merge_size": 2, "temporal_patch_size": 2}
LIBRARIES = {
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"],
    "tokenizer": ["transformers", "Qwen2Tokenizer"],
    "transformer": ["diffusers", "QwenImageTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKLQwenImage"],
}


def write_qwen_image(folder: Path, kind: str = "QwenImagePipeline", *, zero_cond_t: bool = False) -> Path:
    """A folder that this project and diffusers open, every parameter random."""
    generator = torch.Generator().manual_seed(0)
    config = replace(TRANSFORMER, zero_cond_t=zero_cond_t)
    autoencoder = QwenImageAutoencoder(AUTOENCODER)
    tokenizer = small_tokenizer()
    tower = vision_language.VisionLanguageTower(small_config(tokenizer), tokenizer)
    for network in (autoencoder, tower):
        randomize(network, generator)
    released = vision_language.to_published(tower.state_dict())
    unused = torch.randn(tower.config.language.vocab_size, tower.config.language.hidden_size, generator=generator)
    bundle.write_weights(folder / "transformer", random_oracle(config).state_dict())
    bundle.write_weights(folder / "vae", autoencoder.state_dict())
    bundle.write_weights(folder / "text_encoder", released | {"lm_head.weight": unused}, bundle.TRANSFORMERS_WEIGHTS)
    for name, values in (
        ("transformer", config.to_json()),
        ("vae", AUTOENCODER.to_json()),
        ("text_encoder", tower.config.to_json()),
    ):
        atomic.write_json(folder / name / "config.json", values)
    text.save_tokenizer(tokenizer, folder / "tokenizer")
    atomic.write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULER)
    atomic.write_json(folder / "mezzotint.json", DEFAULTS)
    libraries = LIBRARIES
    if kind != "QwenImagePipeline":
        atomic.write_json(folder / "processor" / "preprocessor_config.json", PROCESSOR)
        libraries = libraries | {"processor": ["transformers", "Qwen2VLProcessor"]}
    atomic.write_json(folder / bundle.INDEX, {"_class_name": kind, "_diffusers_version": "0.38.0", **libraries})
    return folder
