"""A whole model folder, tiny, of the real classes, with random weights: a picture in milliseconds."""

from pathlib import Path

import torch
from torch import nn

from mezzotint.models import autoencoder, bundle, single_stream, text
from mezzotint.runtime import atomic

TRANSFORMER = single_stream.SingleStreamConfig(
    patch_size=2,
    in_channels=16,
    dim=64,
    n_layers=2,
    n_refiner_layers=1,
    n_heads=2,
    norm_eps=1e-5,
    cap_feat_dim=32,
    rope_theta=256.0,
    t_scale=1000.0,
    axes_dims=(8, 12, 12),
    axes_lens=(226, 16, 16),
    siglip_feat_dim=None,
)
AUTOENCODER = autoencoder.AutoencoderConfig(
    block_out_channels=(4, 4, 8, 8),
    layers_per_block=1,
    latent_channels=16,
    norm_num_groups=2,
    mid_block_add_attention=True,
    sample_size=32,
    scaling_factor=0.7,
    shift_factor=0.1,
)
TEXT = text.TextConfig(
    vocab_size=300,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    max_position_embeddings=1024,
    rms_norm_eps=1e-6,
    rope_theta=1e4,
)
DEFAULTS = {"steps": 3, "guidance": 2.0, "width": 32, "height": 48}


def write_model(folder: Path) -> Path:
    """A folder that this project and diffusers open, every parameter random."""
    generator = torch.Generator().manual_seed(0)
    transformer = single_stream.SingleStreamTransformer(TRANSFORMER)
    towers = autoencoder.Autoencoder(AUTOENCODER)
    tokenizer = text.train_tokenizer(["a red disc", "two blue boxes", "一个红色圆"], TEXT.vocab_size)
    tower = text.TextTower(text.build(TEXT), tokenizer)
    for network in (transformer, towers, tower):
        randomise(network, generator)
    weights = {
        "transformer": single_stream.to_published(transformer.state_dict(), TRANSFORMER),
        "vae": towers.state_dict(),
        "text_encoder": tower.state_dict(),
    }
    for name, state in weights.items():
        is_text = name == "text_encoder"
        bundle.write_weights(folder / name, state, bundle.TRANSFORMERS_WEIGHTS if is_text else bundle.DIFFUSERS_WEIGHTS)
    for name, config in (("transformer", TRANSFORMER), ("vae", AUTOENCODER), ("text_encoder", TEXT)):
        atomic.write_json(folder / name / "config.json", config.to_json())
    text.save_tokenizer(tokenizer, folder / "tokenizer")
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0}
    atomic.write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    atomic.write_json(folder / "mezzotint.json", DEFAULTS)
    index = {
        "_class_name": "ZImagePipeline",
        "_diffusers_version": "0.38.0",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen3Model"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "transformer": ["diffusers", "ZImageTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    atomic.write_json(folder / bundle.INDEX, index)
    return folder


@torch.no_grad()
def randomise(network: nn.Module, generator: torch.Generator) -> None:
    """Matrices that keep their input's size; vectors around 1 in norms, around 0 elsewhere."""
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            parameter.copy_(noise * parameter[0].numel() ** -0.5)
        else:
            parameter.copy_(0.2 * noise + ("norm" in name and not name.endswith("bias")))
