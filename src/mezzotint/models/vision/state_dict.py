"""The published names of the vision tower's weights: those of `Siglip2VisionModel`, alone or in a `Siglip2Model`."""

from collections.abc import Mapping
from typing import TypeVar

PREFIX = "vision_model."
HEAD = "head."  # pools a picture to one vector, which nothing here reads

Weight = TypeVar("Weight")  # a tensor, or one that is not read yet


def from_published(state: Mapping[str, Weight]) -> dict[str, Weight]:
    """Weights for `VisionTower`; the pooling head, and a text encoder beside the tower, are left out."""
    if any(name.startswith(PREFIX) for name in state):
        state = {name.removeprefix(PREFIX): weight for name, weight in state.items() if name.startswith(PREFIX)}
    return {f"model.{name}": weight for name, weight in state.items() if not name.startswith(HEAD)}
