"""The mini's recipes: a whole small Z-Image, for two processor cores and a few hours."""

from dataclasses import replace

import torch

from mezzotint.data.loader import CaptionWeights
from mezzotint.data.picture_batches import Framing
from mezzotint.flow.times import LogitNormal, ResolutionShifted
from mezzotint.generation.settings import Settings
from mezzotint.models import autoencoder, single_stream, text
from mezzotint.perception import dual_encoder
from mezzotint.perception.scene_judge import SceneJudgeConfig
from mezzotint.recipes.autoencoder import AutoencoderRecipe, PerceptualPlan
from mezzotint.recipes.clip import ClipRecipe
from mezzotint.recipes.judge import JudgeRecipe
from mezzotint.recipes.recipe import Plan
from mezzotint.recipes.text import TextRecipe
from mezzotint.recipes.transformer import TransformerRecipe
from mezzotint.runtime.packages import fetch
from mezzotint.synthesis.scenes.text import FONTS
from mezzotint.synthesis.scenes.truth_maps import CHARACTERS, COLOURS, NOUNS
from mezzotint.training.objectives.clip import PictureTextContrast
from mezzotint.training.objectives.judge import SceneReadingLoss
from mezzotint.training.objectives.text import CaptionContrast
from mezzotint.training.optimizers import AdamW, Muon

PROMPTS = (
    "a red apple",
    "a cat face",
    "一朵向日葵",
    "a yellow school bus",
    "a slice of pizza, 3D rendering",
    "a penguin on a light blue background",
    "一座火山",
    "an alarm clock, flat drawing",
    "a snowman",
)


def mini_vae() -> AutoencoderRecipe:
    return AutoencoderRecipe(
        autoencoder=autoencoder.MINI,
        plan=Plan(
            steps=6_000,
            batch=8,
            optimizer=Muon(
                rest=AdamW(lr=4e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0, rates={}),
                matrices=("encoder", "decoder"),
                momentum=0.95,
            ),
            warmup=50,
            cooldown=0.3,
            clip=1.0,
            average=0.999,
            log_every=50,
            validate_every=500,
            sample_every=1000,
            checkpoint_every=500,
            keep_checkpoints=2,
        ),
        framing=Framing(size=128, scales=(0.5, 1.5), colours=0.5, crop=64),
        validation_framing=Framing(size=128, scales=(1.0, 1.0), colours=0.0),
        square_weight=2.0,
        kl_weight=1e-3,
        perceptual=PerceptualPlan(stages=3, weight=0.3, pictures=4),
        validation_batches=16,
        shown=8,
        measured_batches=64,
        dtype=torch.float16,
    )


def mini_text() -> TextRecipe:
    return TextRecipe(
        text=text.MINI,
        pictures=dual_encoder.MINI,
        plan=Plan(
            steps=450,
            batch=128,
            optimizer=Muon(
                rest=AdamW(lr=2e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.05, rates={}),
                matrices=("text.model.layers", "pictures.stages"),
                momentum=0.95,
            ),
            warmup=30,
            cooldown=0.3,
            clip=1.0,
            average=0.999,
            log_every=20,
            validate_every=75,
            sample_every=75,
            checkpoint_every=75,
            keep_checkpoints=2,
        ),
        objective=CaptionContrast(across_weight=0.5, token_weight=0.2, max_tokens=128),
        framing=Framing(size=64, scales=(0.7, 1.1), colours=0.0),
        validation_framing=Framing(size=64, scales=(0.92, 0.92), colours=0.0),
        validation_batches=1,
        validation_pictures=227,
        dtype=torch.bfloat16,
    )


def mini_base() -> TransformerRecipe:
    return TransformerRecipe(
        transformer=single_stream.MINI,
        plan=Plan(
            steps=40_000,
            batch=48,
            optimizer=Muon(
                rest=AdamW(lr=2e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.01, rates={}),
                matrices=("noise_refiner", "context_refiner", "layers"),
                momentum=0.95,
            ),
            warmup=100,
            cooldown=0.2,
            clip=1.0,
            average=0.999,
            log_every=50,
            validate_every=250,
            sample_every=250,
            checkpoint_every=250,
            keep_checkpoints=2,
        ),
        tokens_per_sample=96,  # 8 × 8 patches of a picture of 128 pixels, and a caption of up to 32 tokens
        times=ResolutionShifted(times=LogitNormal(mean=0.0, std=1.0), reference_tokens=64),
        caption_dropout=0.1,
        captions=CaptionWeights(kinds={"short": 2.0, "medium": 3.0, "long": 0.5}),
        validation_batches=8,
        prompts=PROMPTS,
        shift=3.0,
        defaults=Settings(steps=28, guidance=3.5, width=128, height=128),
        dtype=torch.bfloat16,
    )


def mini_joint() -> TransformerRecipe:
    """`mini_base` with a text tower that learns along, at a third of the rate (docs/decisions/0002-text-tower.md).

    Its batch is twice as large, its rate √2 times: then Muon's matrices cost half as much a sample. The average reaches
    back over as many samples. Layouts are decided in much noise, so times lie nearer to it; short captions come more
    often, since a user writes such.
    """
    recipe = mini_base()
    optimizer = Muon(
        rest=AdamW(lr=2.8e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.01, rates={"tower": 0.3}),
        matrices=("noise_refiner", "context_refiner", "layers", "tower.model.layers"),
        momentum=0.95,
    )
    return replace(
        recipe,
        plan=replace(recipe.plan, optimizer=optimizer, batch=96, average=0.998),
        times=ResolutionShifted(times=LogitNormal(mean=-0.5, std=1.0), reference_tokens=64),
        captions=CaptionWeights(kinds={"tags": 0.5, "short": 4.0, "medium": 2.0, "long": 0.3}),
        joint=True,
    )


def mini_judge() -> JudgeRecipe:
    """2.9 M parameters."""
    return JudgeRecipe(
        judge=SceneJudgeConfig(
            picture_size=128,
            widths=(32, 96, 192),
            blocks=(2, 2, 3),
            joined_blocks=2,
            letter_width=64,
            norm_groups=16,
            nouns=NOUNS,
            colours=COLOURS,
            characters=CHARACTERS,
        ),
        plan=Plan(
            steps=2_000,
            batch=32,
            optimizer=Muon(
                rest=AdamW(lr=3e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.05, rates={}),
                matrices=("fine", "middle", "coarse", "up", "joined", "letters.halves", "letters.block"),
                momentum=0.95,
            ),
            warmup=50,
            cooldown=0.4,
            clip=1.0,
            average=0.995,
            log_every=50,
            validate_every=250,
            sample_every=250,
            checkpoint_every=125,
            keep_checkpoints=2,
        ),
        objective=SceneReadingLoss(empty_weight=0.05),
        lettered=0.25,
        fonts=tuple(FONTS),
        fetch=fetch,
        validation_batches=12,
        dtype=torch.bfloat16,
    )


def mini_clip() -> ClipRecipe:
    """5.6 M parameters, 3.4 M of them in the text tower."""
    return ClipRecipe(
        text_layers=3,
        pictures=dual_encoder.CLIP,
        plan=Plan(
            steps=600,
            batch=128,
            optimizer=Muon(
                rest=AdamW(lr=2e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.05, rates={"text.": 0.5}),
                matrices=("text.model.layers", "pictures.stages"),
                momentum=0.95,
            ),
            warmup=30,
            cooldown=0.4,
            clip=1.0,
            average=0.99,
            log_every=20,
            validate_every=100,
            sample_every=100,
            checkpoint_every=100,
            keep_checkpoints=2,
        ),
        objective=PictureTextContrast(across_weight=0.25, max_tokens=dual_encoder.CLIP_TOKENS, languages=("en", "zh")),
        framing=Framing(size=64, scales=(0.7, 1.1), colours=0.0),
        validation_framing=Framing(size=64, scales=(0.92, 0.92), colours=0.0),
        validation_batches=1,
        validation_pictures=227,
        dtype=torch.bfloat16,
    )
