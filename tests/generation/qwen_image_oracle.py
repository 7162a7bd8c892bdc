"""diffusers' Qwen-Image pipelines on a model folder of ours, and how far ours are from theirs."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel
from einops import rearrange
from tests.generation import oracle
from tests.models.vision_language.small_tower import processor
from torch import Tensor, nn
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from mezzotint.generation.pipeline import Pipeline


def opened_by_diffusers(folder: Path, kind: Any, **parts: Any) -> Any:
    """A pipeline of theirs, in fp32, with further parts such as a processor."""
    theirs = kind(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
        vae=AutoencoderKLQwenImage.from_pretrained(folder / "vae"),
        text_encoder=Qwen2_5_VLForConditionalGeneration.from_pretrained(folder / "text_encoder"),
        tokenizer=AutoTokenizer.from_pretrained(folder / "tokenizer"),
        transformer=QwenImageTransformer2DModel.from_pretrained(folder / "transformer"),
        **parts,
    )
    theirs.set_progress_bar_config(disable=True)
    return theirs.to(torch.float32)


def opened_for_editing(folder: Path, kind: Any, pipe: Pipeline) -> Any:
    """Their pipeline for editing, with the processor that needs no torchvision, and told where the pictures are.

    diffusers leaves out what tells the language model which tokens are pictures (its issue 14194), so that with
    transformers 5 their positions lose rows and columns. The released models were made with them.
    """
    limits = pipe.model.limits  # type: ignore[attr-defined]
    process = processor(pipe.text, min_pixels=limits.least, max_pixels=limits.most)
    theirs = opened_by_diffusers(folder, kind, processor=process)
    picture = pipe.text.config.image_token_id

    def tell(module: nn.Module, arguments: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return arguments, named | {"mm_token_type_ids": (named["input_ids"] == picture).int()}

    theirs.text_encoder.register_forward_pre_hook(tell, with_kwargs=True)
    return theirs


def scale_areas(monkeypatch: pytest.MonkeyPatch, module: ModuleType, area: int) -> None:
    """Let their pipelines bring references to this area instead of 1024 x 1024."""
    published = module.calculate_dimensions
    monkeypatch.setattr(module, "calculate_dimensions", lambda target, ratio: published(target * area / 1024**2, ratio))


def assert_parity(
    case: str, pipe: Pipeline, theirs: Any, paint: Callable[[], Any], paint_theirs: Callable[[], Any]
) -> None:
    """As `oracle.assert_parity`; the branches of guidance are one call of ours and two of theirs."""
    oracle.assert_parity(case, pipe, theirs, paint, paint_theirs, in_our_form)


def in_our_form(expected: list[Tensor], own: list[Tensor]) -> list[Tensor]:
    branches = len(expected) // len(own)
    assert len(own) * branches == len(expected)
    steps = [torch.cat(expected[i : i + branches]) for i in range(0, len(expected), branches)]
    return [unpacked(noise_minus_clean, v) for noise_minus_clean, v in zip(steps, own, strict=True)]


def unpacked(tokens: Tensor, like: Tensor) -> Tensor:
    """Of the published network's answer the part for the picture, with our sign and in the form of our velocity."""
    h, w = (side // 2 for side in like.shape[-2:])
    return -rearrange(tokens[:, : h * w], "b (h w) (c p q) -> b c (h p) (w q)", h=h, w=w, p=2, q=2)
