"""A small Qwen2.5-VL with every parameter random, in our form and in transformers'."""

from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor

from mezzotint.models.text import train_tokenizer
from mezzotint.models.vision_language import (
    LanguageConfig,
    VisionConfig,
    VisionLanguageConfig,
    VisionLanguageTower,
    to_published,
)

VOCABULARY = 330
PICTURE_TOKENS = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>")
LANGUAGE = LanguageConfig(
    vocab_size=VOCABULARY,
    hidden_size=48,
    intermediate_size=64,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=4096,
    rms_norm_eps=1e-6,
    rope_theta=1e4,
    mrope_section=(4, 4, 4),
)
VISION = VisionConfig(
    depth=3,
    hidden_size=32,
    intermediate_size=40,
    num_heads=2,
    patch_size=4,
    spatial_merge_size=2,
    temporal_patch_size=2,
    window_size=16,
    fullatt_block_indexes=(1,),
    out_hidden_size=48,
)


def small_tokenizer() -> Tokenizer:
    """With the tokens that stand around pictures."""
    tokenizer = train_tokenizer(["a red disc", "two blue boxes", "一个红色圆"], VOCABULARY - len(PICTURE_TOKENS))
    tokenizer.add_special_tokens(list(PICTURE_TOKENS))
    return tokenizer


def small_config(tokenizer: Tokenizer) -> VisionLanguageConfig:
    return VisionLanguageConfig(
        language=LANGUAGE, vision=VISION, image_token_id=tokenizer.token_to_id(PICTURE_TOKENS[1])
    )


def small_tower(seed: int = 0) -> VisionLanguageTower:
    tokenizer = small_tokenizer()
    tower = VisionLanguageTower(small_config(tokenizer), tokenizer).eval().requires_grad_(False)
    randomize(tower, torch.Generator().manual_seed(seed))
    return tower


@torch.no_grad()
def randomize(network: nn.Module, generator: torch.Generator) -> None:
    """Matrices that keep their input's size; vectors around 1 in norms, around 0 elsewhere."""
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1 and max(parameter.shape[1:]) > 1:
            parameter.copy_(noise * parameter[0].numel() ** -0.5)
        else:
            is_norm = any(part in name for part in ("norm", "ln_q", "gamma")) and not name.endswith("bias")
            parameter.copy_(0.2 * noise + is_norm)


def oracle(tower: VisionLanguageTower) -> Qwen2_5_VLForConditionalGeneration:
    """transformers' own class with the tower's weights."""
    model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**tower.config.to_json()))
    released = to_published(tower.state_dict())
    nested = {
        name.replace("model.", "model.language_model.", 1) if name.startswith("model.") else f"model.{name}": tensor
        for name, tensor in released.items()
    }
    model.load_state_dict(nested | {"lm_head.weight": model.lm_head.weight})
    return model.eval()


class PictureProcessor(Qwen2VLProcessor):
    """Without a processor of videos, which would need torchvision."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> type:
        return type(argument)


def processor(tower: VisionLanguageTower, **limits: Any) -> PictureProcessor:
    """transformers' way from texts and pictures to what its model takes."""
    vision = tower.config.vision
    assert vision is not None
    own = PreTrainedTokenizerFast(tokenizer_object=tower.tokenizer, pad_token="<|endoftext|>", padding_side="right")
    images = Qwen2VLImageProcessorPil(
        patch_size=vision.patch_size,
        merge_size=vision.spatial_merge_size,
        temporal_patch_size=vision.temporal_patch_size,
        **limits,
    )
    return PictureProcessor(image_processor=images, tokenizer=own)
