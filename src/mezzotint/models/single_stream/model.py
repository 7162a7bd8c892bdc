"""S3-DiT: one transformer over a picture's patches and its caption's tokens together (Z-Image report, section 4).

    picture ─ patches ─ embed ─ noise refiner ──┐
                                                ├─ [picture, caption] ─ layers ─ final layer ─ velocity of each patch
    caption ─ features ─ embed ─ context refiner┘
    time ─ embed ─ one matrix product ─ gains of every RMSNorm of every block

Tokens are packed as `geometry.py` describes, "s n d": all matrices and norms see real tokens and the published pads
only. What depends on the caption alone (`refine_captions`) runs once for all steps of a picture.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.models.attention import Attend, Groups, attend, inverse_rms
from mezzotint.models.captions import Captions
from mezzotint.models.packing import patch_sizes, spread
from mezzotint.models.rotary import Rotary, rotate
from mezzotint.models.single_stream.config import SingleStreamConfig
from mezzotint.models.single_stream.geometry import (
    BatchGeometry,
    ConditionGeometry,
    Filling,
    Layout,
    batch_geometry,
    caption_geometry,
    padded,
)
from mezzotint.models.time_embedding import TimeEmbedding, wave_frequencies

FREQUENCIES = 128  # of the time embedding, times two for cosine and sine
TIME_HIDDEN = 1024
QK_NORM_EPS = 1e-5
FINAL_NORM_EPS = 1e-6

Hints = Mapping[int, Float[Tensor, "s n d"]]
"""What is added to the joint tokens after the layers of these numbers: a ControlNet's lead."""
NO_HINTS: Hints = {}


class Stack(Protocol):
    """How packed tokens go through a stack of blocks: plainly (`run_blocks`), or compiled, cached, divided, …"""

    def __call__(
        self,
        blocks: nn.ModuleList,
        x: Float[Tensor, "*tokens d"],
        gains: Float[Tensor, "layer m 4 d"],
        layout: Layout,
        hints: Hints = NO_HINTS,
    ) -> Float[Tensor, "s n d"]: ...


class Attention(nn.Module):
    """Self-attention within each sequence; queries and keys are normalised per head, then turned by their position.

    `attend` mixes the values; it is replaced from outside where tokens lie on several devices.
    """

    def __init__(self, config: SingleStreamConfig) -> None:
        super().__init__()
        self.attend: Attend = attend
        self.n_heads = config.n_heads
        self.qkv = nn.Linear(config.dim, 3 * config.dim, bias=False)
        self.out = nn.Linear(config.dim, config.dim, bias=False)
        self.norm_q = nn.Parameter(torch.ones(config.head_dim))
        self.norm_k = nn.Parameter(torch.ones(config.head_dim))

    def forward(self, x: Float[Tensor, "s n d"], rotary: Rotary, groups: Groups) -> Float[Tensor, "s n d"]:
        qkv = rearrange(self.qkv(x), "s n (kind head e) -> s n kind head e", kind=3, head=self.n_heads)
        qk, v = qkv[:, :, :2], qkv[:, :, 2]
        norm = torch.stack([self.norm_q, self.norm_k])[:, None]
        q, k = rotate(qk * inverse_rms(qk, QK_NORM_EPS) * norm, rotary).unbind(2)
        return self.out(rearrange(self.attend(q, k, v, groups), "s n head e -> s n (head e)"))


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020): w2(silu(w1 x) · w3 x), with w1 and w3 as one matrix.

    In fp16 that overflows, w3's output first. There `reach` is set (`half_range.py`): how large an input may be.
    """

    reach: float | None = None

    def __init__(self, config: SingleStreamConfig) -> None:
        super().__init__()
        self.w13 = nn.Linear(config.dim, 2 * config.hidden_dim, bias=False)
        self.w2 = nn.Linear(config.hidden_dim, config.dim, bias=False)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        gate, value = self.w13(x).chunk(2, dim=-1)
        return self.w2(F.silu(gate) * value)

    def in_range(self, x: Float[Tensor, "*n d"]) -> tuple[Float[Tensor, "*n d"], Float[Tensor, "*n 1"]]:
        """Each token's result times c², and c: a power of two, so that nothing is rounded, at which none overflows.

        With c in front of w1 and w3 both come out times c; silu(a) · c is (c · a) · sigmoid(a).
        """
        assert self.reach is not None  # whoever calls has asked
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        c = torch.exp2(torch.log2(self.reach / norm).floor().clamp(max=0.0))
        gate, value = self.w13(x * c.to(x.dtype)).chunk(2, dim=-1)
        return self.w2(gate * torch.sigmoid(gate.float() / c).to(x.dtype) * value), c


class Block(nn.Module):
    """Attention and SwiGLU, each between two RMSNorms ("sandwich").

    A norm's weight and the modulation by time both scale channels, so they are multiplied beforehand and a block is
    handed the four products, its gains: into attention, out of it, into the feed-forward layer, out of it.
    """

    def __init__(self, config: SingleStreamConfig) -> None:
        super().__init__()
        self.eps = config.norm_eps
        self.attention = Attention(config)
        self.feed_forward = FeedForward(config)
        self.attention_norm_in = nn.Parameter(torch.ones(config.dim))
        self.attention_norm_out = nn.Parameter(torch.ones(config.dim))
        self.feed_forward_norm_in = nn.Parameter(torch.ones(config.dim))
        self.feed_forward_norm_out = nn.Parameter(torch.ones(config.dim))

    @property
    def norms(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The weights of the four RMSNorms, in the order of the gains."""
        return (
            self.attention_norm_in,
            self.attention_norm_out,
            self.feed_forward_norm_in,
            self.feed_forward_norm_out,
        )

    def forward(
        self,
        x: Float[Tensor, "s n d"],
        gains: Float[Tensor, "#s #n 4 d"],
        rotary: Rotary,
        groups: Groups,
    ) -> Float[Tensor, "s n d"]:
        attention_in, attention_out, feed_forward_in, feed_forward_out = gains.unbind(2)
        y = self.attention(x * inverse_rms(x, self.eps) * attention_in, rotary, groups)
        x = torch.addcmul(x, y * inverse_rms(y, self.eps), attention_out)
        y = x * inverse_rms(x, self.eps) * feed_forward_in
        if self.feed_forward.reach is not None:
            y, c = self.feed_forward.in_range(y)
            return torch.addcmul(x, y * inverse_rms(y, self.eps * c**4), feed_forward_out)
        y = self.feed_forward(y)
        return torch.addcmul(x, y * inverse_rms(y, self.eps), feed_forward_out)


class SingleStreamTransformer(nn.Module):
    """The network: velocity = clean − noise of latents at time t (0 noise, 1 clean), under captions.

    `noise_refiner`, `context_refiner` and `layers` hold equal blocks: wrap or compile them from outside. `stack` runs
    the first and the last of them at every step and can be replaced by another `Stack`.
    """

    def __init__(self, config: SingleStreamConfig) -> None:
        super().__init__()
        self.config = config
        self.stack: Stack = run_blocks
        dim = config.dim
        self.patch_embedding = nn.Linear(config.patch_dim, dim)
        self.picture_pad = nn.Parameter(torch.zeros(dim))
        self.caption_norm = nn.RMSNorm(config.cap_feat_dim, eps=config.norm_eps)
        self.caption_embedding = nn.Linear(config.cap_feat_dim, dim)
        self.caption_pad = nn.Parameter(torch.zeros(dim))
        self.time_embedding = TimeEmbedding(FREQUENCIES, TIME_HIDDEN, config.time_dim)
        self.modulation = nn.Linear(config.time_dim, (config.n_refiner_layers + config.n_layers) * 4 * dim)
        self.noise_refiner = nn.ModuleList(Block(config) for _ in range(config.n_refiner_layers))
        self.context_refiner = nn.ModuleList(Block(config) for _ in range(config.n_refiner_layers))
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.final_modulation = nn.Linear(config.time_dim, dim)
        self.final_layer = nn.Linear(dim, config.patch_dim)

    @property
    def blocks(self) -> list[Block]:
        """All blocks in the order of their running."""
        return [*self.context_refiner, *self.noise_refiner, *self.layers]  # type: ignore[list-item]

    def refine_captions(self, features: Sequence[Float[Tensor, "_ cap_feat_dim"]]) -> Captions:
        """Embed captions and let each one's tokens attend to each other; good for every step of a run.

        Raises:
            InputError: A caption is empty or too long.
        """
        lengths = tuple(len(feature) for feature in features)
        geometry = caption_geometry(self.config, lengths, features[0].device)
        packed = torch.cat(list(features)).to(self.caption_embedding.weight.dtype)
        x = fill(self.caption_embedding(self.caption_norm(packed)), self.caption_pad, geometry.filling)
        tokens = self._refine(self.context_refiner, x, geometry)
        return Captions(tokens, tuple(padded(length) for length in lengths))

    def forward(
        self,
        latents: Float[Tensor, "b c h w"] | Sequence[Float[Tensor, "c _ _"]],
        t: Float[Tensor, "#b"],
        captions: Captions,
        hints: Hints = NO_HINTS,
    ) -> Float[Tensor, "b c h w"] | list[Float[Tensor, "c _ _"]]:
        """The velocity of each picture, in the form and dtype of `latents`: one tensor, or a list of unequal sizes.

        `t` holds one time for each picture, or one for all. `hints` are a ControlNet's, for the same latents.

        Raises:
            InputError: Sizes that are no multiples of the patch, numbers that do not fit, or too large a picture.
        """
        p = self.config.patch_size
        sizes = patch_sizes(latents, self.config.in_channels, p)
        if len(captions) != len(latents) or len(t) not in (1, len(latents)):
            raise InputError(f"{len(latents)} latents need as many captions and times, not {len(captions)}, {len(t)}")
        geometry = batch_geometry(self.config, sizes, captions.lengths, captions.tokens.device)
        if isinstance(latents, Tensor):
            velocity = self.evaluate(patchify(latents, p), t, captions.tokens, geometry, hints)
            return unpatchify(velocity, sizes[0], p).to(latents.dtype)
        patches = torch.cat([patchify(picture[None], p) for picture in latents])
        velocity = self.evaluate(patches, t, captions.tokens, geometry, hints)
        velocities = velocity.split([rows * cols for rows, cols in sizes])
        return [unpatchify(v, size, p)[0].to(latents[0].dtype) for v, size in zip(velocities, sizes, strict=True)]

    def evaluate(
        self,
        patches: Float[Tensor, "_ patch"],
        t: Float[Tensor, "#b"],
        captions: Float[Tensor, "n d"],
        geometry: BatchGeometry,
        hints: Hints = NO_HINTS,
    ) -> Float[Tensor, "p patch"]:
        """The network on packed patches of all pictures."""
        time = self.embed_time(t)
        refiner_gains, layer_gains = self.gains(time)
        x = self.stack(self.noise_refiner, self.embed(patches, geometry), refiner_gains, geometry.picture)
        x = self.stack(self.layers, join(x, captions, geometry), layer_gains, geometry.joint, hints)
        x = x.flatten(0, 1).index_select(0, geometry.patches)
        return self._finish(x, time, geometry.patch_rows)

    def embed_time(self, t: Float[Tensor, "m"]) -> Float[Tensor, "m time"]:
        return self.time_embedding(self.config.t_scale * t.float()[:, None] * wave_frequencies(FREQUENCIES, t.device))

    def embed(self, patches: Float[Tensor, "p patch"], geometry: BatchGeometry) -> Float[Tensor, "n d"]:
        """Packed picture tokens, with the learned pads."""
        x = self.patch_embedding(patches.to(self.patch_embedding.weight.dtype))
        return fill(x, self.picture_pad, geometry.filling)

    def gains(self, time: Float[Tensor, "m time"]) -> tuple[Float[Tensor, "_ m 4 d"], Float[Tensor, "_ m 4 d"]]:
        """Those of the noise refiner and those of the layers."""
        refiner, layers = len(self.noise_refiner), len(self.layers)
        gains = modulated_gains(self.modulation(time), [*self.noise_refiner, *self.layers])
        return gains.split([refiner, layers])  # type: ignore[return-value]

    def _refine(
        self, blocks: nn.ModuleList, x: Float[Tensor, "n d"], geometry: ConditionGeometry
    ) -> Float[Tensor, "n d"]:
        """Packed tokens of a condition through blocks that do not know the time, then in the batch's order."""
        x = run_blocks(blocks, x, norm_weights([*blocks])[:, None], geometry.layout).flatten(0, 1)
        return x if geometry.restore is None else x.index_select(0, geometry.restore)

    def _finish(
        self, x: Float[Tensor, "p d"], time: Float[Tensor, "m time"], rows: Int[Tensor, "1 p"] | None
    ) -> Float[Tensor, "p patch"]:
        """LayerNorm, scaled by time, to the velocity of each patch."""
        gain = spread(1.0 + self.final_modulation(F.silu(time)), rows)
        x = F.layer_norm(x.view(*(gain.shape[:1]), -1, x.shape[-1]), x.shape[-1:], eps=FINAL_NORM_EPS)
        return self.final_layer(x * gain).flatten(0, 1)


def run_blocks(
    blocks: nn.ModuleList,
    x: Float[Tensor, "*tokens d"],
    gains: Float[Tensor, "layer m 4 d"],
    layout: Layout,
    hints: Hints = NO_HINTS,
) -> Float[Tensor, "s n d"]:
    """Packed tokens through a stack of blocks; each hint is added after the block of its number."""
    x = by_sequence(x, layout)
    rotary = Rotary(*(table.to(x.dtype) for table in layout.rotary))
    for number, (block, gain) in enumerate(zip(blocks, gains.unbind(), strict=True)):
        x = block(x, spread(gain, layout.rows), rotary, layout.groups)
        if number in hints:
            x = x + hints[number]
    return x


def by_sequence(x: Float[Tensor, "*tokens d"], layout: Layout) -> Float[Tensor, "s n d"]:
    """Packed tokens with the axis of their sequences."""
    return x.view(*layout.rotary.cos.shape[:2], x.shape[-1])


def join(
    x: Float[Tensor, "*tokens d"], captions: Float[Tensor, "_ d"], geometry: BatchGeometry
) -> Float[Tensor, "_ d"]:
    """Refined picture tokens and captions in the order of the joint sequence."""
    return torch.cat([x.flatten(0, -2), captions]).index_select(0, geometry.join)


def modulated_gains(modulation: Float[Tensor, "m _"], blocks: Sequence[Any]) -> Float[Tensor, "layer m 4 d"]:
    """Norm weight · (1 + scale) into a layer, norm weight · tanh(gate) out of it, for all blocks at once."""
    scale, gate = rearrange(
        modulation.float(), "m (layer part two d) -> two layer m part d", layer=len(blocks), part=2, two=2
    )
    parts = torch.stack([1.0 + scale, gate.tanh()], dim=3).flatten(2, 3)
    return (norm_weights(blocks)[:, None] * parts).to(modulation.dtype)


def norm_weights(blocks: Sequence[Any]) -> Float[Tensor, "layer 4 d"]:
    """The weights of all blocks' RMSNorms, in the order of the gains."""
    return torch.stack([norm for block in blocks for norm in block.norms]).unflatten(0, (len(blocks), 4))


def fill(x: Float[Tensor, "p d"], pad: Float[Tensor, "d"], filling: Filling | None) -> Float[Tensor, "n d"]:
    """Embedded tokens in packed order, with the learned token at the pads."""
    return x if filling is None else torch.where(filling.is_pad, pad, x.index_select(0, filling.source))


def patchify(latents: Float[Tensor, "b c h w"], p: int) -> Float[Tensor, "n patch"]:
    """Pictures to patches, row by row; in a patch the channel runs fastest."""
    return rearrange(latents, "b c (h p) (w q) -> (b h w) (p q c)", p=p, q=p)


def unpatchify(patches: Float[Tensor, "n patch"], size: tuple[int, int], p: int) -> Float[Tensor, "b c h w"]:
    """The way back, for pictures of one size in patches."""
    h, w = size
    return rearrange(patches, "(b h w) (p q c) -> b c (h p) (w q)", h=h, w=w, p=p, q=p)


@torch.no_grad()
def init_weights(model: SingleStreamTransformer, generator: torch.Generator) -> None:
    """Weights to train from: every block begins as the identity and the velocity as zero.

    Matrices are normal with variance 1 / fan-in, drawn in fp32 on the generator's device (the CPU, so that every
    device begins alike); modulations and the final layer are zero (adaLN-Zero, Peebles & Xie 2023).
    """
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.fill_(1.0)
        elif name.endswith("bias") or name.startswith(("modulation", "final")):
            parameter.zero_()
        elif name.endswith("_pad"):
            parameter.copy_(0.02 * torch.randn(parameter.shape, generator=generator, device=generator.device))
        else:
            draw = torch.randn(parameter.shape, generator=generator, device=generator.device)
            parameter.copy_(draw * parameter.shape[-1] ** -0.5)
