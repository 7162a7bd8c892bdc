"""A judge of scenes: what lies where, in which colour, and which characters are written, on a grid over the picture.

Trained on rendered scenes, whose truth is exact, and on nothing that a generator made. Centres are found as in
CenterNet (Zhou et al. 2019); nouns, colours and characters are classified in every cell.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mezzotint.errors import FileFormatError
from mezzotint.models.bundle import load_into, read_json, read_weights

NO_CHARACTER = 0  # the class of a cell without writing


@dataclass(frozen=True, kw_only=True)
class SceneJudgeConfig:
    """`widths` are the channels at a 4th, 8th, … of the picture, `blocks` the residual blocks at each.

    `nouns`, `colours` and `characters` name the classes; the last colour is a drawing's own, and characters begin at
    class 1, since class 0 is "none".
    """

    picture_size: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    norm_groups: int
    nouns: tuple[str, ...]
    colours: tuple[str, ...]
    characters: str

    @property
    def grid(self) -> int:
        """Cells along a side."""
        return self.picture_size // 2 ** (len(self.widths) + 1)

    def to_json(self) -> dict[str, Any]:
        return {"_class_name": "SceneJudge", **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "SceneJudgeConfig":
        """
        Raises:
            FileFormatError: A value is missing.
        """
        try:
            return cls(
                picture_size=content["picture_size"],
                widths=tuple(content["widths"]),
                blocks=tuple(content["blocks"]),
                norm_groups=content["norm_groups"],
                nouns=tuple(content["nouns"]),
                colours=tuple(content["colours"]),
                characters=content["characters"],
            )
        except KeyError as cause:
            raise FileFormatError(f"a judge's configuration has no {cause}") from cause


class Maps(NamedTuple):
    """What the judge sees, as logits in each of g × g cells: an object's centre, its noun, its colour, a character."""

    centres: Float[Tensor, "b g g"]
    nouns: Float[Tensor, "b nouns g g"]
    colours: Float[Tensor, "b colours g g"]
    characters: Float[Tensor, "b characters g g"]


class SceneJudge(nn.Module):
    """Patches of 4 × 4, residual blocks, halvings, and one linear map for all that is said of a cell."""

    def __init__(self, config: SceneJudgeConfig) -> None:
        super().__init__()
        self.config = config
        widths, groups = config.widths, config.norm_groups
        stages: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, stride=4)]
        stages += [_Residual(widths[0], groups) for _ in range(config.blocks[0])]
        for (before, after), blocks in zip(pairwise(widths), config.blocks[1:], strict=True):
            stages += [nn.Conv2d(before, after, 2, stride=2)]
            stages += [_Residual(after, groups) for _ in range(blocks)]
        self.stages = nn.Sequential(*stages)
        self.norm = nn.GroupNorm(groups, widths[-1])
        self.sizes = (1, len(config.nouns), len(config.colours), len(config.characters) + 1)
        self.out = nn.Conv2d(widths[-1], sum(self.sizes), 1)

    def forward(self, pictures: Float[Tensor, "b 3 h w"]) -> Maps:
        """Logits (fp32) of pictures in [−1, 1] of any size and shape, which are brought to the judge's square."""
        size = (self.config.picture_size, self.config.picture_size)
        if pictures.shape[-2:] != size:
            pictures = F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
        x = F.silu(self.norm(self.stages(pictures.to(self.out.weight.dtype))))
        centres, nouns, colours, characters = self.out(x).float().split(self.sizes, dim=1)
        return Maps(centres[:, 0], nouns, colours, characters)


class _Residual(nn.Module):
    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.last(F.silu(self.first(F.silu(self.norm(x)))))


@torch.no_grad()
def init_weights(judge: SceneJudge, generator: torch.Generator) -> None:
    """Orthogonal matrices, residual branches at zero; centres start as rare."""
    for module in judge.modules():
        if isinstance(module, nn.Conv2d):
            matrix = torch.empty(module.weight.shape[0], module.weight[0].numel())
            module.weight.copy_(nn.init.orthogonal_(matrix, generator=generator).view_as(module.weight))
            assert module.bias is not None
            nn.init.zeros_(module.bias)
        if isinstance(module, _Residual):
            nn.init.zeros_(module.last.weight)
    assert judge.out.bias is not None
    judge.out.bias[0] = -4.0


def load_scene_judge(folder: Path) -> SceneJudge:
    """A trained judge, fp32, on the CPU.

    Raises:
        MissingFileError: The folder holds none.
        FileFormatError: Its files are broken.
    """
    judge = SceneJudge(SceneJudgeConfig.from_json(read_json(folder / "config.json")))
    load_into(judge, read_weights(folder, torch.float32), folder)
    return judge.eval().requires_grad_(False)


# Reading the maps ---------------------------------------------------------------------------------


class Sighting(NamedTuple):
    """One object: its centre in shares of the picture's width and height, and the cell it lies in."""

    x: float
    y: float
    row: int
    column: int


def sightings(centres: Float[Tensor, "g g"], threshold: float) -> list[Sighting]:
    """The cells that are likelier centres than their eight neighbours and than `threshold`, the likeliest first."""
    probability = centres.sigmoid()
    highest = F.max_pool2d(probability[None, None], 3, stride=1, padding=1)[0, 0]
    peaks = ((probability == highest) & (probability >= threshold)).nonzero().tolist()
    peaks.sort(key=lambda cell: -probability[cell[0], cell[1]].item())
    side = len(centres)
    return [Sighting((column + 0.5) / side, (row + 0.5) / side, row, column) for row, column in peaks]


def evidence(centres: Float[Tensor, "g g"], nouns: Float[Tensor, "nouns g g"]) -> Float[Tensor, "nouns g g"]:
    """P(an object's centre is here) · P(it is this noun), in each cell."""
    return centres.sigmoid() * nouns.softmax(0)


def written(characters: Float[Tensor, "characters g g"], classes: list[int]) -> float:
    """How well a string fits: the mean log probability of its characters, read from left to right.

    Each character takes the likeliest cell of a column, each in a column of its own, in the string's order: the best
    such reading, found by dynamic programming over columns.
    """
    by_column = characters.log_softmax(0).amax(1)
    impossible = by_column.new_full((1,), -torch.inf)
    best = by_column.new_zeros(by_column.shape[1] + 1)  # best[j]: of the characters so far, in the first j columns
    for character in classes:
        best = torch.cat([impossible, torch.cummax(best[:-1] + by_column[character], dim=0).values])
    return best[-1].item() / len(classes)
