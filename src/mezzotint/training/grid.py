"""A sheet of samples as one PNG."""

import math
from pathlib import Path

from einops import rearrange
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from mezzotint.runtime import atomic

MARGIN = 2  # pixels between pictures


def sheet(pictures: Float[Tensor, "b 3 h w"], columns: int | None = None) -> Image.Image:
    """Pictures in [−1, 1], row by row, on white; as near to a square as their number allows unless `columns` says."""
    count = len(pictures)
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    cells = pictures.detach().float().cpu().clamp(-1, 1)
    cells = pad(cells, (0, MARGIN, 0, MARGIN), value=1.0)
    cells = pad(cells, (0, 0, 0, 0, 0, 0, 0, rows * columns - count), value=1.0)
    array = rearrange(cells, "(rows columns) c h w -> (rows h) (columns w) c", rows=rows)
    return Image.fromarray(((array + 1) * 127.5).round().byte().numpy())


def write_sheet(path: Path, pictures: Float[Tensor, "b 3 h w"], columns: int | None = None) -> None:
    with atomic.file(path) as temporary:
        sheet(pictures, columns).save(temporary, format="PNG")
