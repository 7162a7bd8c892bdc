"""diffusers' pipelines on a model folder of ours, and how far our pictures and velocities are from theirs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import ZImagePipeline
from tests import parity
from torch import Tensor, nn

from mezzotint.generation.pipeline import Pipeline


def opened_by_diffusers(folder: Path, kind: Any = ZImagePipeline, **parts: Any) -> Any:
    """A pipeline of theirs, with further parts such as a ControlNet."""
    theirs = kind(**ZImagePipeline.from_pretrained(folder).components, **parts).to(torch.float32)
    theirs.set_progress_bar_config(disable=True)
    return theirs


@contextmanager
def answers(transformer: nn.Module) -> Iterator[list[Tensor]]:
    """What a transformer answers, call by call, in fp32; theirs for Z-Image, a list of pictures, as "b c h w"."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        answer = output if isinstance(output, Tensor) else output[0]
        answer = answer if isinstance(answer, Tensor) else torch.stack(list(answer))[:, :, 0]
        seen.append(answer.detach().float().clone())

    handle = transformer.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


def as_they_are(expected: list[Tensor], own: list[Tensor]) -> list[Tensor]:
    return expected


def assert_parity(
    case: str,
    pipe: Pipeline,
    theirs: Any,
    paint: Callable[[], Any],
    paint_theirs: Callable[[], Any],
    in_our_form: Callable[[list[Tensor], list[Tensor]], list[Tensor]] = as_they_are,
) -> None:
    """Both make pictures (as arrays in [0, 1]); every velocity on the way and the pictures are compared and noted.

    `in_our_form` brings their transformer's answers into the form of ours, which it is given too.
    """
    with answers(pipe.transformer) as own:
        pictures = np.asarray(paint().images)
    with answers(theirs.transformer) as expected:
        expected_pictures = np.asarray(paint_theirs().images)
    velocities = in_our_form(expected, own)
    assert len(own) == len(velocities) > 0
    assert all(0.2 < v.std() < 5.0 for v in velocities)
    velocity = max((a - b).abs().max().item() for a, b in zip(own, velocities, strict=True))
    assert pictures.shape == expected_pictures.shape
    assert expected_pictures.std() > 0.03
    picture = 255 * float(np.abs(pictures - expected_pictures).max())
    assert velocity <= parity.VELOCITY
    assert picture <= parity.PICTURE
    parity.record(case, velocity, picture)
