"""A model folder's `scheduler/scheduler_config.json` as a schedule of sigmas."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from mezzotint.errors import FileFormatError
from mezzotint.flow import schedules

CLASS_NAME = "FlowMatchEulerDiscreteScheduler"
# What the published models leave off; a folder that turns one on needs a schedule that is not built here.
UNSUPPORTED = (
    "invert_sigmas",
    "stochastic_sampling",
    "use_beta_sigmas",
    "use_exponential_sigmas",
    "use_karras_sigmas",
)

Schedule = Callable[[int, int], Float[Tensor, "sigmas"]]
"""(steps, image tokens) -> steps + 1 sigmas, from 1 down to 0."""


def schedule_from_config(config: Mapping[str, Any]) -> Schedule:
    """The static shift of Z-Image, or the shift that grows with the picture of Qwen-Image.

    Raises:
        FileFormatError: It is another scheduler, or a value of it has the wrong form.
    """
    if config.get("_class_name", CLASS_NAME) != CLASS_NAME:
        raise FileFormatError(f"scheduler config is of a {config['_class_name']}, supported is {CLASS_NAME}")
    if asked := [name for name in UNSUPPORTED if config.get(name)]:
        raise FileFormatError(f"scheduler config: {asked[0]} is not supported")
    if not config.get("use_dynamic_shifting", False):
        s = _number(config, "shift", 1.0)
        if s <= 0:
            raise FileFormatError(f"scheduler config: shift is {s:g}; it must be above 0")
        return lambda steps, tokens: schedules.static_shift(steps, s)
    if config.get("time_shift_type", "exponential") != "exponential":
        raise FileFormatError(f"scheduler config: time_shift_type {config['time_shift_type']!r} is not supported")
    low = int(_number(config, "base_image_seq_len", 256.0)), _number(config, "base_shift", 0.5)
    high = int(_number(config, "max_image_seq_len", 4096.0)), _number(config, "max_shift", 1.15)
    if high[0] <= low[0]:
        raise FileFormatError(f"scheduler config: max_image_seq_len {high[0]} is not above base_image_seq_len {low[0]}")
    terminal = _number(config, "shift_terminal", 0.0) or None
    if terminal is not None and not 0 < terminal < 1:
        raise FileFormatError(f"scheduler config: shift_terminal is {terminal:g}; it must lie between 0 and 1")
    return lambda steps, tokens: schedules.exponential_shift(
        steps, schedules.linear_mu(tokens, low=low, high=high), terminal
    )


def _number(config: Mapping[str, Any], name: str, default: float) -> float:
    value = config.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FileFormatError(f"scheduler config: {name} is {value!r}, not a number")
    return float(value)
