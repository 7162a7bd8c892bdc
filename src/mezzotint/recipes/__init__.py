"""Complete configurations by name; a recipe with its data is a run."""

from collections.abc import Callable

from mezzotint.recipes.mini import mini_base, mini_clip, mini_joint, mini_judge, mini_text, mini_vae
from mezzotint.recipes.recipe import Recipe
from mezzotint.recipes.tiny import tiny_base, tiny_clip, tiny_joint, tiny_judge, tiny_text, tiny_vae

RECIPES: dict[str, Callable[[], Recipe]] = {
    "mini-vae": mini_vae,
    "mini-text": mini_text,
    "mini-base": mini_base,
    "mini-joint": mini_joint,
    "mini-judge": mini_judge,
    "mini-clip": mini_clip,
    "tiny-vae": tiny_vae,
    "tiny-text": tiny_text,
    "tiny-base": tiny_base,
    "tiny-joint": tiny_joint,
    "tiny-judge": tiny_judge,
    "tiny-clip": tiny_clip,
}
