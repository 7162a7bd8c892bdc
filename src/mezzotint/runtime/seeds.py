"""Randomness as an argument: a draw depends on (seed, purpose, step, index) and on nothing else.

All noise is drawn on the CPU in fp32, so that a batch, a device or a resume changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Seeds:
    """The source of every random draw of a run."""

    seed: int

    def key(self, purpose: str, step: int = 0, index: int = 0) -> int:
        """63 bits that name one draw."""
        digest = blake2b(f"{self.seed}/{purpose}/{step}/{index}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 1

    def generator(self, purpose: str, step: int = 0, index: int = 0) -> torch.Generator:
        return torch.Generator("cpu").manual_seed(self.key(purpose, step, index))

    def numpy(self, purpose: str, step: int = 0, index: int = 0) -> np.random.Generator:
        return np.random.default_rng(self.key(purpose, step, index))

    def normal(self, shape: Sequence[int], purpose: str, step: int = 0, index: int = 0) -> Tensor:
        """Standard normal numbers, fp32, on the CPU."""
        return torch.randn(tuple(shape), generator=self.generator(purpose, step, index))


def picture_noise(seed: int, shape: Sequence[int]) -> Tensor:
    """The noise of one generated picture: one fp32 draw on the CPU, as diffusers makes it from the same seed."""
    return torch.randn(tuple(shape), generator=torch.Generator("cpu").manual_seed(seed))
