"""Choices that depend on names alone: the same on every machine, in every run, in any order.

Every draw of this room comes from here, so that one picture is a pure function of its seed and its names.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def key(*names: str | int) -> int:
    """64 bits that belong to these names."""
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def unit(*names: str | int) -> float:
    """A number in [0, 1) that belongs to these names."""
    return (key(*names) >> 11) / 2**53


def pick(options: Sequence[T], *names: str | int) -> T:
    """One of the options, the same for the same names."""
    return options[key(*names) % len(options)]


def generator(*names: str | int) -> np.random.Generator:
    """The random draws that belong to these names."""
    return np.random.default_rng(key(*names))
