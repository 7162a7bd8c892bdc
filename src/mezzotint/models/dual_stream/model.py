"""MMDiT: a caption and a picture, each a stream with its own weights, that meet in attention (Qwen-Image, section 2).

    caption ─ features ─ norm ─ embed ─────────┐  text stream
                                               ├─ blocks ─ (picture stream) ─ final layer ─ velocity of each patch
    picture, references ─ patches ─ embed ─────┘  picture stream
    time ─ embed ─ in every block: shift, scale and gate of every LayerNorm, for each stream

Tokens are packed as `geometry.py` describes, "s n d": there is no padding. What depends on the caption alone
(`embed_captions`) runs once for all steps of a picture.

The published network is told σ (1 is noise) and answers with noise − clean. Here, as everywhere in this project, the
time is t = 1 − σ (0 noise, 1 clean) and the velocity is clean − noise: σ and the sign are turned inside.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.models.attention import inverse_rms
from mezzotint.models.captions import Captions
from mezzotint.models.dual_stream.attention import AttendJointly, Projected, attend_jointly
from mezzotint.models.dual_stream.config import DualStreamConfig
from mezzotint.models.dual_stream.geometry import BatchGeometry, StreamLayout, batch_geometry
from mezzotint.models.packing import patch_sizes, spread
from mezzotint.models.rotary import Rotary, rotate
from mezzotint.models.time_embedding import TimeEmbedding, wave_frequencies

FREQUENCIES = 128  # of the time embedding, times two for cosine and sine
TIME_SCALE = 1000.0
NORM_EPS = 1e-6
FLOAT16_MOST = 65504.0


class Affine(NamedTuple):
    """How the time changes a layer: its normalised input is scaled and shifted, its output gated."""

    shift: Float[Tensor, "#s #n d"]
    scale: Float[Tensor, "#s #n d"]
    gate: Float[Tensor, "#s #n d"]


class Stack(Protocol):
    """How both streams go through a stack of blocks: plainly (`run_blocks`), or compiled, cached, divided, …"""

    def __call__(
        self,
        blocks: nn.ModuleList,
        text: Float[Tensor, "s t d"],
        picture: Float[Tensor, "s p d"],
        text_time: Float[Tensor, "_ d"],
        picture_time: Float[Tensor, "_ d"],
        geometry: BatchGeometry,
    ) -> tuple[Float[Tensor, "s t d"], Float[Tensor, "s p d"]]: ...


class FeedForward(nn.Module):
    """out(gelu(hidden x)), with the tanh approximation of GELU (Hendrycks & Gimpel 2016)."""

    def __init__(self, config: DualStreamConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(config.dim, config.hidden_dim)
        self.out = nn.Linear(config.hidden_dim, config.dim)

    def forward(self, x: Float[Tensor, "s n d"]) -> Float[Tensor, "s n d"]:
        return self.out(F.gelu(self.hidden(x), approximate="tanh"))


class Stream(nn.Module):
    """One stream's share of a block: everything but attention itself."""

    def __init__(self, config: DualStreamConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.modulation = nn.Linear(config.dim, 6 * config.dim)
        self.qkv = nn.Linear(config.dim, 3 * config.dim)
        self.norm_q = nn.Parameter(torch.ones(config.head_dim))
        self.norm_k = nn.Parameter(torch.ones(config.head_dim))
        self.out = nn.Linear(config.dim, config.dim)
        self.feed_forward = FeedForward(config)

    def modulate(self, time: Float[Tensor, "m d"], rows: Int[Tensor, "s n"] | None) -> tuple[Affine, Affine]:
        """What the time does to attention and to the feed-forward layer."""
        changes = rearrange(self.modulation(time), "m (layer part d) -> m layer part d", layer=2, part=3)
        attention, feed_forward = spread(changes, rows).unbind(2)
        return Affine(*attention.unbind(2)), Affine(*feed_forward.unbind(2))

    def project(self, x: Float[Tensor, "s n d"], affine: Affine, rotary: Rotary) -> Projected:
        """Queries, keys and values of each token."""
        qkv = self.qkv(modulated(x, affine.shift, affine.scale))
        qkv = rearrange(qkv, "s n (kind head e) -> s n kind head e", kind=3, head=self.n_heads)
        qk, v = qkv[:, :, :2], qkv[:, :, 2]
        norm = torch.stack([self.norm_q, self.norm_k])[:, None]
        return Projected(rotate(qk * inverse_rms(qk, NORM_EPS) * norm, rotary), v)

    def finish(
        self, x: Float[Tensor, "s n d"], mixed: Float[Tensor, "s n d"], attention: Affine, feed_forward: Affine
    ) -> Float[Tensor, "s n d"]:
        """The stream after attention, which gave `mixed`, and after its feed-forward layer."""
        x = torch.addcmul(x, self.out(mixed), attention.gate)
        y = self.feed_forward(modulated(x, feed_forward.shift, feed_forward.scale))
        x = torch.addcmul(x, y, feed_forward.gate)
        # As published, lest fp16 overflow.
        return x.clip(-FLOAT16_MOST, FLOAT16_MOST) if x.dtype == torch.float16 else x


class Block(nn.Module):
    """Both streams through joint attention and a feed-forward layer of their own.

    `attend` mixes the values; it is replaced from outside where tokens lie on several devices.
    """

    def __init__(self, config: DualStreamConfig) -> None:
        super().__init__()
        self.attend: AttendJointly = attend_jointly
        self.text = Stream(config)
        self.picture = Stream(config)

    def forward(
        self,
        text: Float[Tensor, "s t d"],
        picture: Float[Tensor, "s p d"],
        text_time: Float[Tensor, "_ d"],
        picture_time: Float[Tensor, "_ d"],
        geometry: BatchGeometry,
    ) -> tuple[Float[Tensor, "s t d"], Float[Tensor, "s p d"]]:
        text_affine = self.text.modulate(text_time, geometry.text.rows)
        picture_affine = self.picture.modulate(picture_time, geometry.picture.rows)
        text_mixed, picture_mixed = self.attend(
            self.text.project(text, text_affine[0], geometry.text.rotary),
            self.picture.project(picture, picture_affine[0], geometry.picture.rotary),
            geometry.groups,
        )
        return (
            self.text.finish(text, text_mixed, *text_affine),
            self.picture.finish(picture, picture_mixed, *picture_affine),
        )


class DualStreamTransformer(nn.Module):
    """The network: velocity = clean − noise of latents at time t (0 noise, 1 clean), under captions and references.

    `layers` holds equal blocks: wrap or compile them from outside. `stack` runs them at every step and can be replaced
    by another `Stack`.
    """

    def __init__(self, config: DualStreamConfig) -> None:
        super().__init__()
        self.config = config
        self.stack: Stack = run_blocks
        dim = config.dim
        self.patch_embedding = nn.Linear(config.patch_dim, dim)
        self.caption_norm = nn.RMSNorm(config.text_dim, eps=NORM_EPS)
        self.caption_embedding = nn.Linear(config.text_dim, dim)
        self.time_embedding = TimeEmbedding(FREQUENCIES, dim, dim)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.final_modulation = nn.Linear(dim, 2 * dim)
        self.final_layer = nn.Linear(dim, config.patch_dim)

    def embed_captions(self, features: Sequence[Float[Tensor, "_ text_dim"]]) -> Captions:
        """Features of the text tower, normalised and embedded; good for every step of a run."""
        packed = torch.cat(list(features)).to(self.caption_embedding.weight.dtype)
        tokens = self.caption_embedding(self.caption_norm(packed))
        return Captions(tokens, tuple(len(feature) for feature in features))

    def forward(
        self,
        latents: Float[Tensor, "b c h w"] | Sequence[Float[Tensor, "c _ _"]],
        t: Float[Tensor, "#b"],
        captions: Captions,
        references: Sequence[Sequence[Float[Tensor, "c _ _"]]] | None = None,
    ) -> Float[Tensor, "b c h w"] | list[Float[Tensor, "c _ _"]]:
        """The velocity of each picture, in the form and dtype of `latents`: one tensor, or a list of unequal sizes.

        `t` holds one time for each picture, or one for all; `references` the clean latents that each picture is made
        from, in the order in which its caption speaks of them: none, one or several, of any sizes.

        Raises:
            InputError: Sizes that are no multiples of the patch, numbers that do not fit, or too large a picture.
        """
        p, channels = self.config.patch_size, self.config.latent_channels
        references = [()] * len(latents) if references is None else references
        if not len(captions) == len(references) == len(latents) or len(t) not in (1, len(latents)):
            raise InputError(
                f"{len(latents)} latents need as many captions, times and lists of references, "
                f"not {len(captions)}, {len(t)} and {len(references)}"
            )
        sizes = patch_sizes(latents, channels, p)
        geometry = batch_geometry(
            self.config,
            sizes,
            tuple(patch_sizes(pictures, channels, p) for pictures in references),
            captions.lengths,
            captions.tokens.device,
        )
        own = [patchify(latents, p)] if isinstance(latents, Tensor) else [patchify(x[None], p) for x in latents]
        others = [patchify(x[None].to(own[0].dtype), p) for pictures in references for x in pictures]
        velocity = self.evaluate(torch.cat(own + others), t, captions.tokens, geometry)
        if isinstance(latents, Tensor):
            return unpatchify(velocity, sizes[0], p).to(latents.dtype)
        velocities = velocity.split([rows * columns for rows, columns in sizes])
        return [unpatchify(v, size, p)[0].to(latents[0].dtype) for v, size in zip(velocities, sizes, strict=True)]

    def evaluate(
        self,
        patches: Float[Tensor, "n patch"],
        t: Float[Tensor, "#b"],
        captions: Float[Tensor, "t d"],
        geometry: BatchGeometry,
    ) -> Float[Tensor, "p patch"]:
        """The network on the patches of all pictures, then of all references."""
        time = self.embed_time(t)
        picture_time = time
        if geometry.clean_row is not None:
            clean = self.embed_time(t.new_ones(1))
            picture_time = torch.cat([time.expand(geometry.clean_row, -1), clean])
        text = arrange(captions, geometry.text)
        picture = self.patch_embedding(arrange(patches.to(text.dtype), geometry.picture))
        geometry = in_dtype(geometry, text.dtype)
        _, picture = self.stack(self.layers, text, picture, time, picture_time, geometry)
        x = picture.flatten(0, 1)
        x = x if geometry.patches is None else x.index_select(0, geometry.patches)
        return self._finish(x, time, geometry.patch_rows)

    def embed_time(self, t: Float[Tensor, "m"]) -> Float[Tensor, "m d"]:
        """The time as modulations want it, after their SiLU. σ is rounded to the working dtype, as published."""
        sigma = (1.0 - t.float()).to(self.patch_embedding.weight.dtype).float()
        angles = TIME_SCALE * (sigma[:, None] * wave_frequencies(FREQUENCIES, t.device))
        return F.silu(self.time_embedding(angles))

    def _finish(
        self, x: Float[Tensor, "p d"], time: Float[Tensor, "m d"], rows: Int[Tensor, "1 p"] | None
    ) -> Float[Tensor, "p patch"]:
        """LayerNorm, scaled and shifted by time (in this order, unlike a block's), to the velocity of each patch."""
        changes = rearrange(self.final_modulation(time), "m (part d) -> m part d", part=2)
        scale, shift = spread(changes, rows).unbind(2)
        x = modulated(x.view(len(scale), -1, x.shape[-1]), shift, scale)
        return -self.final_layer(x).flatten(0, 1)  # the published network answers noise − clean


def run_blocks(
    blocks: nn.ModuleList,
    text: Float[Tensor, "s t d"],
    picture: Float[Tensor, "s p d"],
    text_time: Float[Tensor, "_ d"],
    picture_time: Float[Tensor, "_ d"],
    geometry: BatchGeometry,
) -> tuple[Float[Tensor, "s t d"], Float[Tensor, "s p d"]]:
    """Both streams through a stack of blocks."""
    for block in blocks:
        text, picture = block(text, picture, text_time, picture_time, geometry)
    return text, picture


def modulated(
    x: Float[Tensor, "s n d"], shift: Float[Tensor, "#s #n d"], scale: Float[Tensor, "#s #n d"]
) -> Float[Tensor, "s n d"]:
    """LayerNorm without weights of its own, scaled by 1 + scale and shifted (adaLN, Peebles & Xie 2023)."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=NORM_EPS), 1.0 + scale)


def arrange(x: Float[Tensor, "n d"], layout: StreamLayout) -> Float[Tensor, "s m d"]:
    """A stream's tokens from the batch's order into the packed one."""
    x = x if layout.source is None else x.index_select(0, layout.source)
    return x.unflatten(0, layout.rotary.cos.shape[:2])


def in_dtype(geometry: BatchGeometry, dtype: torch.dtype) -> BatchGeometry:
    """The same with rotary tables of another dtype."""
    text, picture = (
        layout._replace(rotary=Rotary(*(table.to(dtype) for table in layout.rotary)))
        for layout in (geometry.text, geometry.picture)
    )
    return geometry._replace(text=text, picture=picture)


def patchify(latents: Float[Tensor, "b c h w"], p: int) -> Float[Tensor, "n patch"]:
    """Pictures to patches, row by row; in a patch the channel runs slowest."""
    return rearrange(latents, "b c (h p) (w q) -> (b h w) (c p q)", p=p, q=p)


def unpatchify(patches: Float[Tensor, "n patch"], size: tuple[int, int], p: int) -> Float[Tensor, "b c h w"]:
    """The way back, for pictures of one size in patches."""
    h, w = size
    return rearrange(patches, "(b h w) (c p q) -> b c (h p) (w q)", h=h, w=w, p=p, q=p)
