"""The two towers of a model folder, small, with random weights."""

from pathlib import Path

import torch

from mezzotint.models import autoencoder, bundle, text
from mezzotint.runtime import atomic

AUTOENCODER = autoencoder.AutoencoderConfig(
    block_out_channels=(4, 8),
    layers_per_block=1,
    latent_channels=4,
    norm_num_groups=2,
    mid_block_add_attention=False,
    sample_size=32,
    scaling_factor=0.7,
    shift_factor=0.1,
)
TEXT = text.TextConfig(
    vocab_size=320,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=8,
    max_position_embeddings=1024,
    rms_norm_eps=1e-6,
    rope_theta=1e4,
)


def write_towers(folder: Path, seed: int = 0) -> Path:
    """`vae/`, `text_encoder/` and `tokenizer/`: what encoding and training need of a model."""
    generator = torch.Generator().manual_seed(seed)
    pictures = autoencoder.Autoencoder(AUTOENCODER)
    autoencoder.init_weights(pictures, generator)
    bundle.write_weights(folder / "vae", pictures.state_dict())
    atomic.write_json(folder / "vae" / "config.json", AUTOENCODER.to_json())

    tokenizer = text.train_tokenizer(["a red disc", "a blue box", "红色圆"], TEXT.vocab_size)
    tower = text.TextTower(text.build(TEXT), tokenizer)
    text.init_weights(tower, generator)
    bundle.write_weights(folder / "text_encoder", tower.state_dict(), bundle.TRANSFORMERS_WEIGHTS)
    atomic.write_json(folder / "text_encoder" / "config.json", TEXT.to_json())
    text.save_tokenizer(tokenizer, folder / "tokenizer")
    return folder
