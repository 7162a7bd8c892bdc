"""The published names of the tower's weights: those in a file of transformers' `Qwen2_5_VLForConditionalGeneration`."""

from collections.abc import Mapping
from typing import TypeVar

# Published, ours.
PREFIXES = (("model.", "language."), ("visual.", "vision."))

Weight = TypeVar("Weight")  # a tensor, or one that is not read yet


def from_published(state: Mapping[str, Weight], *, vision: bool) -> dict[str, Weight]:
    """Weights for `VisionLanguageTower`, those of its vision or not; the output layer is left out.

    Names that are not known stay as they are.
    """
    weights = {}
    for name, tensor in state.items():
        if name == "lm_head.weight" or (name.startswith("visual.") and not vision):
            continue
        prefix, ours = next(((old, new) for old, new in PREFIXES if name.startswith(old)), ("", ""))
        weights[ours + name.removeprefix(prefix)] = tensor
    return weights


def to_published(state: Mapping[str, Weight]) -> dict[str, Weight]:
    """The way back."""
    weights = {}
    for name, tensor in state.items():
        published, prefix = next((old, new) for old, new in PREFIXES if name.startswith(new))
        weights[published + name.removeprefix(prefix)] = tensor
    return weights
