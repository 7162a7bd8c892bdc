"""The published names of the text tower's weights: those of `Qwen3ForCausalLM`, or of `Qwen3Model` alone."""

from collections.abc import Mapping
from typing import TypeVar

PREFIX = "model."


Weight = TypeVar("Weight")  # a tensor, or one that is not read yet


def from_published(state: Mapping[str, Weight]) -> dict[str, Weight]:
    """Weights for `TextTower`, with the prefix; a separate output layer is left out, since only features are read."""
    weights = {name: tensor for name, tensor in state.items() if name != "lm_head.weight"}
    if any(name.startswith(PREFIX) for name in weights):
        return weights
    return {PREFIX + name: tensor for name, tensor in weights.items()}
