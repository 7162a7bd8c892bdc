"""A text tower and a small picture tower that map a caption and its picture to about the same unit vector.

As in CLIP (Radford et al. 2021) at a thousandth of the cost, from 64 x 64 pixels. For the mini's text tower (`MINI`)
the picture tower is a teacher that is thrown away afterwards; the two of `mini-clip` (`CLIP`) stay together, and embed
pictures and texts in two languages for curation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import log
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from mezzotint.errors import FileFormatError
from mezzotint.models.text.model import TextTower

FIRST_OWN_TOKEN = 3  # before it stand the turn's start, "user" and a line end, which know nothing of the prompt
GROUPS = 4  # of captions of similar length
START_SCALE = log(1 / 0.07)  # CLIP's
MAX_SCALE = log(100.0)


@dataclass(frozen=True, kw_only=True)
class DualEncoderConfig:
    """`picture_size` is the side that pictures are resized to, `widths` the channels at a 4th, 8th, … of it."""

    picture_size: int
    widths: tuple[int, ...]
    norm_groups: int
    embedding: int

    def to_json(self) -> dict[str, Any]:
        return {"_class_name": "DualEncoder", **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "DualEncoderConfig":
        """
        Raises:
            FileFormatError: A value is missing, or is not a number.
        """
        try:
            return cls(
                picture_size=int(content["picture_size"]),
                widths=tuple(map(int, content["widths"])),
                norm_groups=int(content["norm_groups"]),
                embedding=int(content["embedding"]),
            )
        except KeyError as cause:
            raise FileFormatError(f"a dual encoder's configuration has no {cause}") from cause
        except (TypeError, ValueError) as cause:
            raise FileFormatError(f"a dual encoder's configuration holds what is no number ({cause})") from cause


class PictureTower(nn.Module):
    """Patches of 4 x 4, then a residual block and a halving at each width; positions count in the end."""

    def __init__(self, config: DualEncoderConfig) -> None:
        super().__init__()
        self.config = config
        widths, groups = config.widths, config.norm_groups
        stages: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, stride=4), _Residual(widths[0], groups)]
        for before, after in pairwise(widths):
            stages += [nn.Conv2d(before, after, 2, stride=2), _Residual(after, groups)]
        self.stages = nn.Sequential(*stages)
        side = config.picture_size // 2 ** (len(widths) + 1)
        self.norm = nn.GroupNorm(groups, widths[-1])
        self.out = nn.Linear(widths[-1] * side * side, config.embedding)

    def forward(self, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b e"]:
        """Embeddings, not normalised, of pictures in [−1, 1] of any size."""
        size = (self.config.picture_size, self.config.picture_size)
        if pictures.shape[-2:] != size:
            pictures = F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
        x = self.norm(self.stages(pictures.to(self.out.weight.dtype)))
        return self.out(rearrange(x, "b c h w -> b (c h w)"))


class _Residual(nn.Module):
    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.last(F.silu(self.first(self.norm(x))))


class DualEncoder(nn.Module):
    """Both towers, and the scale that turns cosines into logits.

    A caption's vector comes from the mean over its tokens of the very features that a diffusion transformer reads, so
    that each of these learns to say what the caption means as far as it has been read.
    """

    def __init__(self, text: TextTower, config: DualEncoderConfig) -> None:
        super().__init__()
        self.text = text
        self.pictures = PictureTower(config)
        self.text_out = nn.Linear(text.model.config.hidden_size, config.embedding, bias=False)
        self.log_scale = nn.Parameter(torch.tensor([START_SCALE]))

    @property
    def scale(self) -> Float[Tensor, "1"]:
        """1 / temperature, at most 100."""
        return self.log_scale.float().clamp(max=MAX_SCALE).exp()

    def embed_pictures(self, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b e"]:
        """Unit vectors, fp32."""
        return F.normalize(self.pictures(pictures).float(), dim=-1)

    def embed_features(self, features: Float[Tensor, "b n d"], lengths: Int[Tensor, "b"]) -> Float[Tensor, "b e"]:
        """Unit vectors, fp32, of the text tower's features, of which the first `lengths` tokens are real."""
        position = torch.arange(features.shape[1], device=features.device)
        own = (position >= FIRST_OWN_TOKEN) & (position < lengths[:, None])
        mean = torch.einsum("bnd,bn->bd", features.float(), own / own.sum(1, keepdim=True))
        centred = F.rms_norm(mean, mean.shape[-1:]).to(self.text_out.weight.dtype)
        return F.normalize(self.text_out(centred).float(), dim=-1)

    def embed_captions(self, captions: Sequence[str], max_tokens: int) -> Float[Tensor, "b e"]:
        """Unit vectors, fp32. Captions of similar length are read together, so that little of it is padding."""
        ids = self.text.token_ids(captions, max_tokens)
        by_length = np.argsort([len(row) for row in ids], kind="stable")
        embeddings = []
        for group in np.array_split(by_length, min(GROUPS, len(ids))):
            rows = [ids[index] for index in group]
            lengths = torch.tensor([len(row) for row in rows], device=self.text.device)
            embeddings.append(self.embed_features(self.text.features(self.text.padded(rows)), lengths))
        return torch.cat(embeddings)[torch.from_numpy(np.argsort(by_length))]


@torch.no_grad()
def init_weights(encoder: DualEncoder, generator: torch.Generator) -> None:
    """Orthogonal matrices for the picture tower and the projection, its residual branches at zero.

    The text tower starts by `mezzotint.models.text.init_weights`.
    """
    for module in [*encoder.pictures.modules(), encoder.text_out]:
        if isinstance(module, nn.Conv2d | nn.Linear):
            matrix = torch.empty(module.weight.shape[0], module.weight[0].numel())
            module.weight.copy_(nn.init.orthogonal_(matrix, generator=generator).view_as(module.weight))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in encoder.pictures.modules():
        if isinstance(module, _Residual):
            nn.init.zeros_(module.last.weight)
    nn.init.constant_(encoder.log_scale, START_SCALE)


MINI = DualEncoderConfig(picture_size=64, widths=(64, 128, 256), norm_groups=16, embedding=256)
"""For the mini's text tower: 2.8 M parameters in the picture tower."""

CLIP = DualEncoderConfig(picture_size=64, widths=(64, 128, 208), norm_groups=16, embedding=256)
"""Of `mini-clip`: 2.2 M parameters in the picture tower."""
CLIP_TOKENS = 64
"""Longer captions were cut in its training."""
