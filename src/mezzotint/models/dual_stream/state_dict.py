"""The published names of the weights (diffusers' `QwenImageTransformer2DModel`) and ours.

Beside the names two things differ. The matrices for queries, keys and values of a stream are one. The channels of each
query and key head stand in another order (`models/rotary.py`). The modulations stay a matrix for each stream and block:
together they are a third of the released weights, too much for one tensor.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from torch import Tensor

from mezzotint.models.dual_stream.config import DualStreamConfig
from mezzotint.models.dual_stream.model import FREQUENCIES
from mezzotint.models.fused_weights import Fusion, Part, Rows


class PublishedStream(NamedTuple):
    """What the published names call a stream's parts."""

    prefix: str
    qkv: tuple[str, str, str]
    out: str
    norm_q: str
    norm_k: str


STREAMS = {
    "text": PublishedStream(
        "txt", ("add_q_proj", "add_k_proj", "add_v_proj"), "to_add_out", "norm_added_q", "norm_added_k"
    ),
    "picture": PublishedStream("img", ("to_q", "to_k", "to_v"), "to_out.0", "norm_q", "norm_k"),
}


def published_shapes(config: DualStreamConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every published tensor of a network of these sizes."""
    return _fusion(config).published_shapes()


def from_published(state: Mapping[str, Tensor], config: DualStreamConfig) -> dict[str, Tensor]:
    """Published weights under our names, fused; those that stay as they are share memory with `state`.

    Raises:
        FileFormatError: A tensor is missing, unknown or of another shape.
    """
    return dict(stream_published(state, config))


def stream_published(
    state: Mapping[str, Tensor], config: DualStreamConfig, without: Collection[str] = ()
) -> Iterator[tuple[str, Tensor]]:
    """The same one after another, each tensor of `state` asked for once: a map that reads files stays lazy.

    Ours that are named in `without` are left out.

    Raises:
        FileFormatError: As `from_published`; a wrong shape when its turn comes.
    """
    return _fusion(config).stream_published(state, without)


def to_published(state: Mapping[str, Tensor], config: DualStreamConfig) -> dict[str, Tensor]:
    """Our weights, complete, as published tensors with memory of their own."""
    return _fusion(config).to_published(state)


def as_they_are(config: DualStreamConfig) -> dict[str, str]:
    """Those of our names whose tensor is a published one unchanged, and its name."""
    return _fusion(config).as_they_are()


def matrix_rows(config: DualStreamConfig) -> dict[str, Rows]:
    """For the name of every published matrix that is a linear layer's weight, where it lies."""
    return _fusion(config).matrix_rows()


def _fusion(config: DualStreamConfig) -> Fusion:
    """For each of our tensors the published ones that make it, top to bottom."""
    dim = config.dim
    parts = {"caption_norm.weight": [Part("txt_norm.weight", (config.text_dim,))]}
    for ours, published, fan_out, fan_in in (
        ("patch_embedding", "img_in", dim, config.patch_dim),
        ("caption_embedding", "txt_in", dim, config.text_dim),
        ("time_embedding.hidden", "time_text_embed.timestep_embedder.linear_1", dim, 2 * FREQUENCIES),
        ("time_embedding.out", "time_text_embed.timestep_embedder.linear_2", dim, dim),
        ("final_modulation", "norm_out.linear", 2 * dim, dim),
        ("final_layer", "proj_out", config.patch_dim, dim),
    ):
        parts |= _linear(ours, published, fan_out, fan_in)
    for i in range(config.n_layers):
        for name, stream in STREAMS.items():
            parts |= _stream(f"layers.{i}.{name}", f"transformer_blocks.{i}", stream, config)
    return Fusion(parts, config.head_dim)


def _stream(ours: str, block: str, stream: PublishedStream, config: DualStreamConfig) -> dict[str, list[Part]]:
    """The tensors of one stream of one block."""
    dim, hidden = config.dim, config.hidden_dim
    attention, feed_forward = f"{block}.attn", f"{block}.{stream.prefix}_mlp.net"
    parts = _linear(f"{ours}.modulation", f"{block}.{stream.prefix}_mod.1", 6 * dim, dim)
    for kind, shape in (("weight", (dim, dim)), ("bias", (dim,))):
        q, k, v = (f"{attention}.{name}.{kind}" for name in stream.qkv)
        parts[f"{ours}.qkv.{kind}"] = [Part(q, shape, "heads"), Part(k, shape, "heads"), Part(v, shape)]
    for norm, published in (("norm_q", stream.norm_q), ("norm_k", stream.norm_k)):
        parts[f"{ours}.{norm}"] = [Part(f"{attention}.{published}.weight", (config.head_dim,), "heads")]
    parts |= _linear(f"{ours}.out", f"{attention}.{stream.out}", dim, dim)
    parts |= _linear(f"{ours}.feed_forward.hidden", f"{feed_forward}.0.proj", hidden, dim)
    parts |= _linear(f"{ours}.feed_forward.out", f"{feed_forward}.2", dim, hidden)
    return parts


def _linear(ours: str, published: str, fan_out: int, fan_in: int) -> dict[str, list[Part]]:
    """A layer's matrix and bias."""
    return {
        f"{ours}.weight": [Part(f"{published}.weight", (fan_out, fan_in))],
        f"{ours}.bias": [Part(f"{published}.bias", (fan_out,))],
    }
