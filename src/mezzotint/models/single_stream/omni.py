"""S3-DiT that makes pictures from pictures (Z-Image Omni and Edit): several clean references, and what they show.

    caption segments ─ embed ─ context refiner ──────────────────────────┐
    references, target ─ patches ─ embed ─ noise refiner (t = 1, t) ─────┼─ [caption, pictures, vision] ─ layers ─ …
    SigLIP features ─ embed ─ vision refiner ────────────────────────────┘

It differs from text to image in where the tokens lie and which time they are told (`omni_geometry.py`); the layers are
the same. Captions and what a vision tower tells do not know the time and are refined once for all steps. References
meet the target in the noise refiner already, so of them only the patches are kept, which cost next to nothing to embed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.models.captions import Captions
from mezzotint.models.packing import patch_sizes
from mezzotint.models.single_stream.config import SingleStreamConfig
from mezzotint.models.single_stream.geometry import condition_geometry
from mezzotint.models.single_stream.model import (
    NO_HINTS,
    Block,
    Hints,
    SingleStreamTransformer,
    fill,
    patchify,
    unpatchify,
)
from mezzotint.models.single_stream.omni_geometry import (
    OmniSizes,
    Parts,
    caption_parts,
    omni_geometry,
    vision_parts,
)


@dataclass(frozen=True)
class OmniCondition:
    """What one picture is made from, as the layers want it at every step.

    Attributes:
        caption, vision: Refined tokens, with the network's learned pads.
        references: Patches of the clean references.
    """

    caption: Float[Tensor, "_ d"]
    references: Float[Tensor, "_ patch"]
    vision: Float[Tensor, "_ d"]
    sizes: OmniSizes


class OmniTransformer(SingleStreamTransformer):
    """The network with references: velocity of the target, under a caption in segments and clean pictures.

    Under `Captions` it is the network of text to image. Without `siglip_feat_dim` it has no vision tower to listen to.
    """

    def __init__(self, config: SingleStreamConfig) -> None:
        super().__init__(config)
        if config.siglip_feat_dim is not None:
            self.vision_norm = nn.RMSNorm(config.siglip_feat_dim, eps=config.norm_eps)
            self.vision_embedding = nn.Linear(config.siglip_feat_dim, config.dim)
            self.vision_pad = nn.Parameter(torch.zeros(config.dim))
            self.vision_refiner = nn.ModuleList(Block(config) for _ in range(config.n_refiner_layers))

    @property
    def blocks(self) -> list[Block]:
        """All blocks in the order of their running."""
        vision = [] if self.config.siglip_feat_dim is None else [*self.vision_refiner]
        return [*vision, *super().blocks]  # type: ignore[list-item]

    def refine(
        self,
        segments: Sequence[Sequence[Float[Tensor, "_ cap_feat_dim"]]],
        references: Sequence[Sequence[Float[Tensor, "c _ _"]]],
        vision: Sequence[Sequence[Float[Tensor, "_ _ siglip_feat_dim"]]],
    ) -> tuple[OmniCondition, ...]:
        """What each picture of a batch is made from; good for every step of a run.

        Args:
            segments: Features of a caption, one segment more than there are references, or still more.
            references: Latents of the references.
            vision: Of each reference the features of its grid, "row column d"; none at all without a vision tower.

        Raises:
            InputError: Numbers do not fit, a segment is empty, or something is too large.
        """
        sizes = [self._sizes(*one) for one in zip(segments, references, vision, strict=True)]
        captions, told = self._captions(segments, sizes), self._vision(vision, sizes)
        nothing = captions[0].new_zeros(0, self.config.patch_dim)
        patches = [
            torch.cat([nothing, *(patchify(x[None], self.config.patch_size).to(nothing.dtype) for x in one)])
            for one in references
        ]
        return tuple(OmniCondition(*one) for one in zip(captions, patches, told, sizes, strict=True))

    def forward(
        self,
        latents: Float[Tensor, "b c h w"] | Sequence[Float[Tensor, "c _ _"]],
        t: Float[Tensor, "#b"],
        conditions: Captions | Sequence[OmniCondition],
        hints: Hints = NO_HINTS,
    ) -> Float[Tensor, "b c h w"] | list[Float[Tensor, "c _ _"]]:
        """The velocity of each target, in the form and dtype of `latents`.

        Raises:
            InputError: As `SingleStreamTransformer.forward`.
        """
        if isinstance(conditions, Captions):
            return super().forward(latents, t, conditions, hints)
        p, count = self.config.patch_size, len(latents)
        targets = patch_sizes(latents, self.config.in_channels, p)
        if len(conditions) != count or len(t) not in (1, count):
            raise InputError(f"{count} latents need as many conditions and times, not {len(conditions)}, {len(t)}")
        tokens = torch.cat([one.caption for one in conditions] + [one.vision for one in conditions])
        geometry = omni_geometry(self.config, tuple(one.sizes for one in conditions), targets, tokens.device)
        patches = [one.references for one in conditions] + [patchify(x[None], p).to(tokens.dtype) for x in latents]
        times = torch.cat([t.expand(count), t.new_ones(1)])  # of each target, and of everything clean
        velocity = self.evaluate(torch.cat(patches), times, tokens, geometry, hints)
        parts = velocity.split([rows * columns for rows, columns in targets])
        velocities = [unpatchify(v, size, p)[0].to(x.dtype) for v, size, x in zip(parts, targets, latents, strict=True)]
        return torch.stack(velocities) if isinstance(latents, Tensor) else velocities

    def _sizes(self, segments: Sequence[Tensor], references: Sequence[Tensor], vision: Sequence[Tensor]) -> OmniSizes:
        """
        Raises:
            InputError: The numbers of the three do not fit, or a segment is empty.
        """
        if len(segments) <= len(references):
            raise InputError(f"{len(references)} references need more segments of the caption than {len(segments)}")
        if len(vision) not in (0, len(references)):
            raise InputError(f"vision tells of {len(vision)} pictures; there are {len(references)} references")
        if vision and self.config.siglip_feat_dim is None:
            raise InputError("this network has no siglip_feat_dim: it cannot be told what a vision tower sees")
        if not all(map(len, segments)):
            raise InputError("a segment of the caption has no tokens, at least one is needed")
        return OmniSizes(
            tuple(len(segment) for segment in segments),
            patch_sizes(references, self.config.in_channels, self.config.patch_size),
            tuple((features.shape[0], features.shape[1]) for features in vision),
        )

    def _captions(self, segments: Sequence[Sequence[Tensor]], sizes: Sequence[OmniSizes]) -> list[Tensor]:
        """The segments of each caption, attending to each other."""
        features = [feature for one in segments for feature in one]
        x = self.caption_embedding(self.caption_norm(torch.cat(features).to(self.caption_embedding.weight.dtype)))
        return self._refined(self.context_refiner, x, self.caption_pad, [caption_parts(one) for one in sizes])

    def _vision(self, vision: Sequence[Sequence[Tensor]], sizes: Sequence[OmniSizes]) -> list[Tensor]:
        """What vision tells of each picture's references, attending to each other; nothing where it tells nothing."""
        features = [mixed(feature) for one in vision for feature in one]
        nothing = self.caption_pad.new_zeros(0, self.config.dim)
        if not features:
            return [nothing] * len(vision)
        x = self.vision_embedding(self.vision_norm(torch.cat(features).to(self.vision_embedding.weight.dtype)))
        parts = [vision_parts(self.config, one) for one in sizes if one.vision]
        told = iter(self._refined(self.vision_refiner, x, self.vision_pad, parts))
        return [next(told) if one.vision else nothing for one in sizes]

    def _refined(
        self, blocks: nn.ModuleList, x: Float[Tensor, "_ d"], pad: Float[Tensor, "d"], parts: Sequence[Parts]
    ) -> list[Float[Tensor, "_ d"]]:
        """Embedded tokens of sequences of parts, each sequence refined by itself."""
        lengths, positions = zip(*parts, strict=True)
        geometry = condition_geometry(self.config, lengths, positions, x.device)
        refined = self._refine(blocks, fill(x, pad, geometry.filling), geometry)
        return list(refined.split([len(ids) for ids in positions]))


def mixed(features: Float[Tensor, "row column d"]) -> Float[Tensor, "n d"]:
    """A grid's features as the released network reads them: channels first, then cut into tokens, d numbers each.

    So no token is one patch's. It looks like a slip (`permute(2, 0, 1).reshape(...)` in diffusers); the weights have
    learned it.
    """
    return rearrange(features, "row column d -> (d row column)").view(-1, features.shape[-1])
