"""The mini's recipes in a size for tests: seconds on one core, for the path and not for the pictures."""

from dataclasses import replace

from mezzotint.data.picture_batches import Framing
from mezzotint.generation.settings import Settings
from mezzotint.recipes.autoencoder import AutoencoderRecipe
from mezzotint.recipes.clip import ClipRecipe
from mezzotint.recipes.judge import JudgeRecipe
from mezzotint.recipes.mini import mini_base, mini_clip, mini_joint, mini_judge, mini_text, mini_vae
from mezzotint.recipes.recipe import Plan
from mezzotint.recipes.text import TextRecipe
from mezzotint.recipes.transformer import TransformerRecipe


def tiny_plan(plan: Plan) -> Plan:
    return replace(
        plan,
        steps=6,
        batch=2,
        warmup=2,
        log_every=2,
        validate_every=3,
        sample_every=3,
        checkpoint_every=3,
    )


def tiny_vae() -> AutoencoderRecipe:
    recipe = mini_vae()
    return replace(
        recipe,
        autoencoder=replace(recipe.autoencoder, block_out_channels=(4, 8, 8, 8), norm_num_groups=2),
        plan=tiny_plan(recipe.plan),
        framing=Framing(size=64, scales=(0.5, 1.5), colours=0.5, crop=32),
        validation_framing=Framing(size=64, scales=(1.0, 1.0), colours=0.0),
        perceptual=None,
        validation_batches=1,
        shown=2,
        measured_batches=2,
    )


def tiny_text() -> TextRecipe:
    recipe = mini_text()
    return replace(
        recipe,
        text=replace(
            recipe.text,
            vocab_size=320,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
        ),
        pictures=replace(recipe.pictures, picture_size=16, widths=(8, 8), norm_groups=2, embedding=16),
        plan=tiny_plan(recipe.plan),
        framing=replace(recipe.framing, size=16),
        validation_framing=replace(recipe.validation_framing, size=16),
        validation_pictures=2,
    )


def tiny_base() -> TransformerRecipe:
    recipe = mini_base()
    return replace(
        recipe,
        transformer=replace(recipe.transformer, dim=64, n_heads=1, n_layers=2, n_refiner_layers=1, cap_feat_dim=32),
        plan=tiny_plan(recipe.plan),
        validation_batches=1,
        prompts=recipe.prompts[:2],
        defaults=Settings(steps=2, guidance=1.0, width=32, height=32),
    )


def tiny_joint() -> TransformerRecipe:
    recipe, joint = tiny_base(), mini_joint()
    return replace(recipe, plan=tiny_plan(joint.plan), joint=joint.joint)


def tiny_judge() -> JudgeRecipe:
    recipe = mini_judge()
    return replace(
        recipe,
        judge=replace(
            recipe.judge,
            picture_size=32,
            widths=(8, 16, 16),
            blocks=(1, 1, 1),
            joined_blocks=1,
            letter_width=16,
            norm_groups=4,
        ),
        plan=tiny_plan(recipe.plan),
        validation_batches=1,
    )


def tiny_clip() -> ClipRecipe:
    recipe = mini_clip()
    return replace(
        recipe,
        text_layers=2,
        pictures=replace(recipe.pictures, picture_size=16, widths=(8, 8), norm_groups=2, embedding=16),
        plan=tiny_plan(recipe.plan),
        framing=replace(recipe.framing, size=16),
        validation_framing=replace(recipe.validation_framing, size=16),
        validation_pictures=2,
    )
