from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.z_image.pipeline_z_image import calculate_shift

from mezzotint.errors import FileFormatError
from mezzotint.generation.scheduler import schedule_from_config

DYNAMIC = {"base_image_seq_len": 256, "max_image_seq_len": 8192, "base_shift": 0.5, "max_shift": 0.9}


@pytest.mark.parametrize(
    "config",
    [
        {"shift": 3.0},
        {"shift": 6.0, "use_dynamic_shifting": False},
        {},
        {"use_dynamic_shifting": True},
        {"use_dynamic_shifting": True, "shift_terminal": 0.02, **DYNAMIC},
    ],
)
@pytest.mark.parametrize("steps", [1, 8, 50])
def test_sigmas_are_diffusers(config: dict[str, Any], steps: int) -> None:
    if steps == 1 and config.get("shift_terminal"):  # theirs is no number
        assert schedule_from_config(config)(steps, 1024).tolist() == [1.0, 0.0]
        return
    theirs = FlowMatchEulerDiscreteScheduler.from_config(config)
    low, high = (256, 0.5), (config.get("max_image_seq_len", 4096), config.get("max_shift", 1.15))
    mu = calculate_shift(1024, low[0], high[0], low[1], high[1])
    theirs.set_timesteps(sigmas=torch.linspace(1.0, 1 / steps, steps).tolist(), mu=mu)
    torch.testing.assert_close(schedule_from_config(config)(steps, 1024), theirs.sigmas, atol=1e-6, rtol=0)


def test_turbo_at_eight_steps() -> None:
    expected = torch.tensor([1, 0.954545, 0.9, 0.833333, 0.75, 0.642857, 0.5, 0.3, 0])
    torch.testing.assert_close(schedule_from_config({"shift": 3.0})(8, 64), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"_class_name": "DDIMScheduler"}, "of a DDIMScheduler"),
        ({"use_karras_sigmas": True}, "use_karras_sigmas is not supported"),
        ({"use_dynamic_shifting": True, "time_shift_type": "linear"}, "'linear' is not supported"),
        ({"shift": "three"}, "shift is 'three'"),
        ({"shift": float("nan")}, "shift is nan, not a number"),
        ({"shift": 0}, "shift is 0; it must be above 0"),
        ({"use_dynamic_shifting": True, "shift_terminal": 5}, "shift_terminal is 5; it must lie between 0 and 1"),
        ({"use_dynamic_shifting": True, "max_image_seq_len": 256}, "256 is not above base_image_seq_len 256"),
    ],
)
def test_other_schedulers_are_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(FileFormatError, match=reason):
        schedule_from_config(config)
