"""Small published networks with every parameter random: what transformers would write into a folder."""

from pathlib import Path

import torch
from tests.models.vision_language.small_tower import LANGUAGE, PICTURE_TOKENS, VISION, VOCABULARY, randomize
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from mezzotint.models.text import train_tokenizer

SIDE = 16


def write_classifier(folder: Path, labels: tuple[str, ...], **settings: str) -> Path:
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=SIDE,
        patch_size=4,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        **settings,
    )
    model = ViTForImageClassification(config)
    randomize(model, torch.Generator().manual_seed(0))
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def write_qwen_vl(folder: Path) -> Path:
    ends = ("<|im_start|>", "<|im_end|>")
    tokenizer = train_tokenizer(["a red disc", "two blue boxes", "一个红色圆"], VOCABULARY - len(PICTURE_TOKENS))
    tokenizer.add_special_tokens([*PICTURE_TOKENS])
    start, pad, end = (tokenizer.token_to_id(token) for token in PICTURE_TOKENS)
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": VOCABULARY,
            "hidden_size": LANGUAGE.hidden_size,
            "intermediate_size": LANGUAGE.intermediate_size,
            "num_hidden_layers": LANGUAGE.num_hidden_layers,
            "num_attention_heads": LANGUAGE.num_attention_heads,
            "num_key_value_heads": LANGUAGE.num_key_value_heads,
            "max_position_embeddings": LANGUAGE.max_position_embeddings,
            "rope_parameters": {"rope_type": "default", "mrope_section": list(LANGUAGE.mrope_section)},
            "bos_token_id": tokenizer.token_to_id(ends[0]),
            "eos_token_id": tokenizer.token_to_id(ends[1]),
        },
        vision_config={
            "depth": VISION.depth,
            "hidden_size": VISION.hidden_size,
            "intermediate_size": VISION.intermediate_size,
            "num_heads": VISION.num_heads,
            "patch_size": VISION.patch_size,
            "spatial_merge_size": VISION.spatial_merge_size,
            "temporal_patch_size": VISION.temporal_patch_size,
            "window_size": VISION.window_size,
            "fullatt_block_indexes": list(VISION.fullatt_block_indexes),
            "out_hidden_size": VISION.out_hidden_size,
        },
        image_token_id=pad,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    model = Qwen2_5_VLForConditionalGeneration(config)
    randomize(model, torch.Generator().manual_seed(0))
    model.save_pretrained(folder)
    Qwen2VLImageProcessorPil(
        patch_size=VISION.patch_size,
        merge_size=VISION.spatial_merge_size,
        temporal_patch_size=VISION.temporal_patch_size,
        size={"shortest_edge": 8 * 8, "longest_edge": 48 * 48},
    ).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=ends[1]).save_pretrained(folder)
    return folder
