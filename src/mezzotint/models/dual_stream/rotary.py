"""MSRoPE, the scalable position embedding of Qwen-Image (report, section 2): picture, row, column.

Rows and columns count from a picture's middle, so that a larger picture adds positions at its borders and moves none.
A caption's token i lies on the diagonal, at start + i on all three axes, beyond the largest of its pictures.
Pair i of an axis turns by position · 10000^(−2i/d), d the axis' channels (Su et al. 2021, eq. 15).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.models.dual_stream.config import DualStreamConfig
from mezzotint.models.packing import Size

THETA = 10_000.0
POSITIONS = 4096  # on either side of 0: the published tables end there


def picture_positions(size: Size, index: int) -> Int[Tensor, "n 3"]:
    """(index, row, column) of each patch, row by row; of h rows, h//2 lie at 0 and above it."""
    rows, columns = (torch.arange(side) - (side - side // 2) for side in size)
    return torch.cartesian_prod(torch.tensor([index]), rows, columns)


def caption_positions(length: int, pictures: tuple[Size, ...]) -> Int[Tensor, "n 3"]:
    """The diagonal, from where none of these pictures has a row or column."""
    start = max(side // 2 for size in pictures for side in size)
    return (start + torch.arange(length))[:, None].expand(-1, 3)


def angles(config: DualStreamConfig, positions: Int[Tensor, "n 3"]) -> Float[Tensor, "n pairs"]:
    """The angle of each channel pair, in fp32 as published.

    Raises:
        InputError: A position beyond the published tables.
    """
    farthest = int(positions.abs().max())
    if farthest >= POSITIONS:
        raise InputError(
            f"position {farthest} is beyond this model's {POSITIONS - 1}: "
            f"a shorter prompt or a smaller picture would do"
        )
    turned = []
    for channels, places in zip(config.axes_dims, positions.unbind(1), strict=True):
        exponents = torch.arange(0, channels, 2, dtype=torch.float32, device="cpu") / channels
        turned.append(torch.outer(places.float(), 1.0 / THETA**exponents))
    return torch.cat(turned, dim=1)
