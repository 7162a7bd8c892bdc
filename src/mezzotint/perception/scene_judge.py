"""A judge of scenes: what lies where, in which colour, and which characters are written, on a grid over the picture.

Trained on rendered scenes, whose truth is exact, and on nothing that a generator made. Centres are found as in
CenterNet (Zhou et al. 2019); nouns, colours and characters are classified in every cell. Characters have cells of half
the width, since nine letters may stand side by side.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mezzotint.errors import FileFormatError
from mezzotint.models.bundle import load_into, read_json, read_weights

NO_CHARACTER = 0  # the class of a cell without writing


@dataclass(frozen=True, kw_only=True)
class SceneJudgeConfig:
    """`widths` are the channels at a 4th, an 8th and a 16th of the picture, `blocks` the residual blocks at each;
    `joined_blocks` follow at the 8th, where all that is said of a cell is read. `letter_width` is the channels of the
    characters' cells.

    `nouns`, `colours` and `characters` name the classes; the last colour is a drawing's own, and characters begin at
    class 1, since class 0 is "none".
    """

    picture_size: int
    widths: tuple[int, int, int]
    blocks: tuple[int, int, int]
    joined_blocks: int
    letter_width: int
    norm_groups: int
    nouns: tuple[str, ...]
    colours: tuple[str, ...]
    characters: str

    @property
    def grid(self) -> int:
        """Cells along a side."""
        return self.picture_size // 8

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
                joined_blocks=content["joined_blocks"],
                letter_width=content["letter_width"],
                norm_groups=content["norm_groups"],
                nouns=tuple(content["nouns"]),
                colours=tuple(content["colours"]),
                characters=content["characters"],
            )
        except KeyError as cause:
            raise FileFormatError(f"a judge's configuration has no {cause}") from cause


class Maps(NamedTuple):
    """What the judge sees, as logits in each of g × g cells: an object's centre, its noun, its colour; and, in g × 2g
    cells, a character.
    """

    centres: Float[Tensor, "b g g"]
    nouns: Float[Tensor, "b nouns g g"]
    colours: Float[Tensor, "b colours g g"]
    characters: Float[Tensor, "b characters g 2*g"]


class SceneJudge(nn.Module):
    """Patches of 4 × 4, residual blocks down to a 16th and back up to an 8th, one linear map for all of a cell."""

    def __init__(self, config: SceneJudgeConfig) -> None:
        super().__init__()
        self.config = config
        (fine, middle, coarse), groups = config.widths, config.norm_groups
        self.fine = nn.Sequential(nn.Conv2d(3, fine, 4, stride=4), *_blocks(config.blocks[0], fine, groups))
        self.middle = nn.Sequential(nn.Conv2d(fine, middle, 2, stride=2), *_blocks(config.blocks[1], middle, groups))
        self.coarse = nn.Sequential(nn.Conv2d(middle, coarse, 2, stride=2), *_blocks(config.blocks[2], coarse, groups))
        self.up = nn.Conv2d(coarse, middle, 1)
        self.joined = nn.Sequential(*_blocks(config.joined_blocks, middle, groups))
        self.norm = nn.GroupNorm(groups, middle)
        self.sizes = (1, len(config.nouns), len(config.colours))
        self.out = nn.Conv2d(middle, sum(self.sizes), 1)
        self.letters = _Letters(config)

    def forward(self, pictures: Float[Tensor, "b 3 h w"]) -> Maps:
        """Logits (fp32) of pictures in [−1, 1] of any size and shape, which are brought to the judge's square."""
        size = (self.config.picture_size, self.config.picture_size)
        if pictures.shape[-2:] != size:
            pictures = F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
        fine = self.fine(pictures.to(self.out.weight.dtype))
        middle = self.middle(fine)
        x = self.joined(middle + F.interpolate(self.up(self.coarse(middle)), scale_factor=2.0))
        x = F.silu(self.norm(x))
        centres, nouns, colours = self.out(x).float().split(self.sizes, dim=1)
        return Maps(centres[:, 0], nouns, colours, self.letters(fine, x).float())


class _Letters(nn.Module):
    """Cells of half the width: each cell's features in two, and what was seen at a 4th of the picture."""

    def __init__(self, config: SceneJudgeConfig) -> None:
        super().__init__()
        (fine, middle, _), width = config.widths, config.letter_width
        self.halves = nn.Conv2d(middle, 2 * width, 1)
        self.strokes = nn.Conv2d(fine, width, (2, 1), stride=(2, 1))
        self.block = _Residual(width, config.norm_groups)
        self.norm = nn.GroupNorm(config.norm_groups, width)
        self.out = nn.Conv2d(width, len(config.characters) + 1, 1)

    def forward(self, fine: Float[Tensor, "b f 2*g 2*g"], x: Float[Tensor, "b d g g"]) -> Float[Tensor, "b c g 2*g"]:
        halves = rearrange(self.halves(x), "b (two c) h w -> b c h (w two)", two=2)
        return self.out(F.silu(self.norm(self.block(halves + self.strokes(fine)))))


class _Residual(nn.Module):
    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.last(F.silu(self.first(F.silu(self.norm(x)))))


def _blocks(count: int, width: int, groups: int) -> list[_Residual]:
    return [_Residual(width, groups) for _ in range(count)]


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


def written(characters: Float[Tensor, "characters rows columns"], classes: list[int]) -> float:
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
