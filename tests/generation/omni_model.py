"""A whole Omni model folder, tiny, of the real classes, with random weights; and what diffusers makes of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImageOmniPipeline, ZImageTransformer2DModel
from tests.generation.tiny_model import TRANSFORMER, randomise, write_model
from tests.models.vision.small_tower import CONFIG as VISION
from tests.models.vision.small_tower import PREPARATION, random_tower
from torch import Tensor
from transformers import AutoTokenizer, Qwen3Model, Siglip2VisionModel
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from mezzotint.models import bundle, single_stream
from mezzotint.runtime import atomic

OMNI = replace(TRANSFORMER, siglip_feat_dim=VISION.hidden_size)
DEFAULTS = {"steps": 3, "guidance": 2.0, "width": 1024, "height": 1024}  # the size by which large references are known


def write_omni_model(folder: Path) -> Path:
    """A folder in the layout of the release."""
    write_model(folder)
    transformer = single_stream.OmniTransformer(OMNI)
    randomise(transformer, torch.Generator().manual_seed(1))
    bundle.write_weights(folder / "transformer", single_stream.to_published(transformer.state_dict(), OMNI))
    atomic.write_json(folder / "transformer" / "config.json", OMNI.to_json())
    vision = {name.removeprefix("model."): tensor for name, tensor in random_tower().state_dict().items()}
    bundle.write_weights(folder / "siglip", vision, bundle.TRANSFORMERS_WEIGHTS)
    atomic.write_json(folder / "siglip" / "config.json", VISION.to_json() | {"vision_use_head": False})
    atomic.write_json(folder / "siglip_processor" / "preprocessor_config.json", PREPARATION.to_json())
    atomic.write_json(folder / "mezzotint.json", DEFAULTS)
    index = bundle.read_json(folder / bundle.INDEX) | {
        "_class_name": "ZImageOmniPipeline",
        "siglip": ["transformers", "Siglip2VisionModel"],
        "siglip_processor": ["transformers", "Siglip2ImageProcessor"],
    }
    atomic.write_json(folder / bundle.INDEX, index)
    return folder


class Exact(ZImageOmniPipeline):
    """The oracle without its cast of references to bfloat16, which its own autoencoder in fp32 refuses."""

    def prepare_image_latents(
        self, images: list[Tensor], batch_size: int, device: torch.device, dtype: torch.dtype
    ) -> list[list[Tensor]]:
        vae = self.vae.config
        modes = [self.vae.encode(image.to(device, dtype)).latent_dist.mode()[0] for image in images]
        latents = [((mode - vae.shift_factor) * vae.scaling_factor).unsqueeze(1) for mode in modes]
        return [list(latents) for _ in range(batch_size)]


def opened_by_diffusers(folder: Path) -> Any:
    """Component by component: transformers' own loading of the image processor asks for torchvision."""
    theirs = Exact(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
        vae=AutoencoderKL.from_pretrained(folder / "vae"),
        text_encoder=Qwen3Model.from_pretrained(folder / "text_encoder"),
        tokenizer=AutoTokenizer.from_pretrained(folder / "tokenizer"),
        transformer=ZImageTransformer2DModel.from_pretrained(folder / "transformer"),
        siglip=Siglip2VisionModel.from_pretrained(folder / "siglip"),
        siglip_processor=Siglip2ImageProcessorPil.from_pretrained(folder / "siglip_processor"),
    ).to(torch.float32)
    theirs.set_progress_bar_config(disable=True)
    return theirs
