"""What one call asks for, complete and checked: which pictures, from which captions and seeds, sampled how."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from mezzotint.errors import InputError
from mezzotint.flow.samplers import SAMPLERS
from mezzotint.generation.inputs import NOTHING, Inputs
from mezzotint.generation.settings import Settings

SEEDS = 2**63  # a seed is below this


@dataclass(frozen=True)
class Job:
    """One picture: the `picture`-th of the `prompt`-th prompt, both from 0. `seed` is None where its noise is given."""

    prompt: int
    picture: int
    seed: int | None


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
        cache: Threshold of the cache between steps (`models.step_cache`), 0 for none.
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
    cache: float = 0.0
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
            none = f"{self.settings.unguided:g} is none"
            raise InputError(f"guidance is {self.settings.guidance}; it must be 0 or more ({none})")
        if not 0 <= self.cache < 1:
            raise InputError(f"cache is {self.cache}; it must be 0 (none) or more, and below 1")
        if self.sampler not in SAMPLERS:
            raise InputError(f"there is no sampler {self.sampler!r}: samplers are {', '.join(SAMPLERS)}")
        if self.seed is not None and not 0 <= self.seed < SEEDS - self.count:
            raise InputError(f"seed is {self.seed}; it must be 0 or more, and seed + count below 2^63")

    @property
    def guided(self) -> bool:
        return self.settings.guidance > self.settings.unguided

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


def as_negatives(negative: str | Sequence[str] | None, count: int, default: str = "") -> tuple[str, ...]:
    """A negative prompt for each of `count` prompts: the same for all, one each, or the default."""
    if negative is None or isinstance(negative, str):
        return (default if negative is None else negative,) * count
    return as_prompts(negative)


def random_seed() -> int:
    """A seed for who did not choose one; short enough to be typed again."""
    return secrets.randbelow(2**32)
