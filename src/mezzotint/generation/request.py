"""What one call asks for, complete and checked: which pictures, from which captions and seeds, sampled how."""

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from mezzotint.errors import InputError
from mezzotint.flow.samplers import SAMPLERS
from mezzotint.generation.settings import Settings

SEEDS = 2**63  # a seed is below this


@dataclass(frozen=True)
class Job:
    """One picture: the `picture`-th of the `prompt`-th prompt, both from 0. `seed` is None where its noise is given."""

    prompt: int
    picture: int
    seed: int | None


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Pictures that a request is given besides its prompts, in "RGB", and what is done with them.

    Attributes:
        images: One to begin with, or some to edit; of any size.
        mask: In grey ("L"), as large as the first image: white is painted anew, black is kept. None: all is painted.
        strength: In (0, 1]: the share of the steps that are run on an image to begin with. None: the task's own.
        control: What a ControlNet follows, of any size. control_scale: How strongly; 0 is not at all.

    Raises:
        InputError: A value is impossible, or the mask does not fit the image.
    """

    images: tuple[Image.Image, ...] = ()
    mask: Image.Image | None = None
    strength: float | None = None
    control: Image.Image | None = None
    control_scale: float = 0.75

    def __post_init__(self) -> None:
        if self.strength is not None and not 0 < self.strength <= 1:
            raise InputError(f"strength is {self.strength}; it must be above 0 (the image) and at most 1 (pure noise)")
        if not math.isfinite(self.control_scale):
            raise InputError(f"the control scale is {self.control_scale}; it must be a number")
        if self.mask is not None and not self.images:
            raise InputError("there is a mask but no image that it belongs to; give the image too")
        if self.strength is not None and not self.images:
            raise InputError("strength says how much of an image changes; give the image too")
        if self.mask is not None and self.mask.size != self.images[0].size:
            (width, height), (own_width, own_height) = self.images[0].size, self.mask.size
            raise InputError(
                f"the mask is {own_width}x{own_height} and the image {width}x{height}; they must be equally large"
            )


NOTHING = Inputs()


@dataclass(frozen=True, kw_only=True)
class Request:
    """Pictures that are made with the same settings.

    Attributes:
        prompts, negatives: One negative for each prompt; it counts only with guidance.
        seed: Of each prompt's first picture; picture i has seed + i. None where the noise is given.
        count: Pictures a prompt.
        settings: Steps, guidance and size.
        sampler: A name in `flow.samplers.SAMPLERS`.
        norm_limit, truncation: See `flow.guidance.ClassifierFree`.
        max_tokens: Cuts a prompt, the chat template included, to so many; None refuses what a model cannot take.
        inputs: The pictures that it is given.

    Raises:
        InputError: A value is impossible.
    """

    prompts: tuple[str, ...]
    negatives: tuple[str, ...]
    seed: int | None
    count: int
    settings: Settings
    sampler: str = "euler"
    norm_limit: float | None = None
    truncation: float | None = None
    max_tokens: int | None = None
    inputs: Inputs = NOTHING

    def __post_init__(self) -> None:
        if not self.prompts:
            raise InputError("there is no prompt; at least one is needed")
        if len(self.negatives) != len(self.prompts):
            raise InputError(f"{len(self.negatives)} negative prompts do not match {len(self.prompts)} prompts")
        if self.count < 1:
            raise InputError(f"count is {self.count}; it must be 1 or more")
        if self.settings.steps < 1:
            raise InputError(f"steps is {self.settings.steps}; it must be 1 or more")
        if not 0 <= self.settings.guidance < float("inf"):
            raise InputError(f"guidance is {self.settings.guidance}; it must be 0 (none) or more")
        if self.sampler not in SAMPLERS:
            raise InputError(f"there is no sampler {self.sampler!r}: samplers are {', '.join(SAMPLERS)}")
        if self.seed is not None and not 0 <= self.seed < SEEDS - self.count:
            raise InputError(f"seed is {self.seed}; it must be 0 or more, and seed + count below 2^63")

    @property
    def guided(self) -> bool:
        return self.settings.guidance > 0

    @property
    def jobs(self) -> list[Job]:
        """All pictures, prompt by prompt."""
        return [
            Job(prompt, picture, None if self.seed is None else self.seed + picture)
            for prompt in range(len(self.prompts))
            for picture in range(self.count)
        ]


def as_prompts(prompt: str | Sequence[str]) -> tuple[str, ...]:
    """One prompt or several, as several.

    Raises:
        InputError: One is not a text.
    """
    prompts = (prompt,) if isinstance(prompt, str) else tuple(prompt)
    for text in prompts:
        if not isinstance(text, str):
            raise InputError(f"a prompt is a text, not {text!r}")
    return prompts


def as_negatives(negative: str | Sequence[str] | None, count: int) -> tuple[str, ...]:
    """A negative prompt for each of `count` prompts: the same for all, one each, or the empty one."""
    if negative is None or isinstance(negative, str):
        return (negative or "",) * count
    return as_prompts(negative)


def random_seed() -> int:
    """A seed for who did not choose one; short enough to be typed again."""
    return secrets.randbelow(2**32)
