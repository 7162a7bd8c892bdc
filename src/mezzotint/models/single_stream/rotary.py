"""Which angles tell a token's place on three axes: place in the sequence of conditions, row, column.

Pair i of an axis turns by position · theta^(−2i/d), d the axis' channels (Su et al. 2021, eq. 15, once for each axis).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mezzotint.models.rotary import cosines_and_sines
from mezzotint.models.single_stream.config import SingleStreamConfig


class RotaryTables:
    """The angle of each pair at each position of each axis."""

    def __init__(self, config: SingleStreamConfig) -> None:
        # In float64 and rounded before the cosine, as published: a float64 cosine differs by 6e-5.
        self.angles = []
        for channels, length in zip(config.axes_dims, config.axes_lens, strict=True):
            exponents = torch.arange(0, channels, 2, dtype=torch.float64, device="cpu") / channels
            positions = torch.arange(length, dtype=torch.float64, device="cpu")
            self.angles.append(torch.outer(positions, 1.0 / config.rope_theta**exponents).float())

    def at(self, positions: Int[Tensor, "n axes"]) -> tuple[Float[Tensor, "n e"], Float[Tensor, "n e"]]:
        """Cosines and signed sines of tokens at these positions, on the CPU."""
        angles = torch.cat([table[ids] for table, ids in zip(self.angles, positions.unbind(1), strict=True)], dim=1)
        return cosines_and_sines(angles)
