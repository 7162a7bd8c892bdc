"""Sampling with a cache between the steps, whichever kind of network it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mezzotint.models.dual_stream import DualStreamTransformer
from mezzotint.models.dual_stream import step_cache as dual_stream
from mezzotint.models.single_stream import step_cache as single_stream
from mezzotint.models.step_cache import FirstBlockCache


@contextmanager
def step_caching(transformer: Any, threshold: float) -> Iterator[FirstBlockCache]:
    """One run of steps on which the transformer may skip layers (`models.step_cache`); at 0 it runs as it is."""
    cache = FirstBlockCache(threshold)
    stack = transformer.stack
    if threshold > 0:
        kind = dual_stream if isinstance(transformer, DualStreamTransformer) else single_stream
        transformer.stack = kind.CachedStack(stack, transformer.layers, cache)
    try:
        yield cache
    finally:
        transformer.stack = stack
