"""The published names of the weights (diffusers' `ZImageTransformer2DModel`) and ours.

Beside the names three things differ. Ours are fused: one matrix for queries, keys and values, one for w1 and w3, one
for the modulations of all blocks. The channels of each query and key head stand in another order (`models/rotary.py`).
Pad tokens have no leading axis of one. So each of our tensors is some published ones, one below the other.
"""

from collections.abc import Collection, Iterator, Mapping

from torch import Tensor

from mezzotint.models.fused_weights import Fusion, Part, Rows
from mezzotint.models.single_stream.config import SingleStreamConfig
from mezzotint.models.single_stream.model import FREQUENCIES, TIME_HIDDEN


def published_shapes(config: SingleStreamConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every published tensor of a network of these sizes."""
    return _fusion(config).published_shapes()


def from_published(state: Mapping[str, Tensor], config: SingleStreamConfig) -> dict[str, Tensor]:
    """Published weights under our names, fused; those that stay as they are share memory with `state`.

    Raises:
        FileFormatError: A tensor is missing, unknown or of another shape.
    """
    return dict(stream_published(state, config))


def stream_published(
    state: Mapping[str, Tensor], config: SingleStreamConfig, without: Collection[str] = ()
) -> Iterator[tuple[str, Tensor]]:
    """The same one after another, each tensor of `state` asked for once: a map that reads files stays lazy.

    Ours that are named in `without` are left out.

    Raises:
        FileFormatError: As `from_published`; a wrong shape when its turn comes.
    """
    return _fusion(config).stream_published(state, without)


def to_published(state: Mapping[str, Tensor], config: SingleStreamConfig) -> dict[str, Tensor]:
    """Our weights, complete, as published tensors with memory of their own."""
    return _fusion(config).to_published(state)


def as_they_are(config: SingleStreamConfig) -> dict[str, str]:
    """Those of our names whose tensor is a published one unchanged, and its name."""
    return _fusion(config).as_they_are()


def matrix_rows(config: SingleStreamConfig) -> dict[str, Rows]:
    """For the name of every published matrix that is a linear layer's weight, where it lies."""
    return _fusion(config).matrix_rows()


def _fusion(config: SingleStreamConfig) -> Fusion:
    """For each of our tensors the published ones that make it, top to bottom."""
    dim, time, patch = config.dim, config.time_dim, config.patch_dim
    key = f"{config.patch_size}-1"
    modulated = [f"noise_refiner.{i}" for i in range(config.n_refiner_layers)]
    modulated += [f"layers.{i}" for i in range(config.n_layers)]
    layout = {
        "picture_pad": [Part("x_pad_token", (1, dim), "token")],
        "caption_pad": [Part("cap_pad_token", (1, dim), "token")],
        "caption_norm.weight": [Part("cap_embedder.0.weight", (config.cap_feat_dim,))],
        "modulation.weight": [Part(f"{block}.adaLN_modulation.0.weight", (4 * dim, time)) for block in modulated],
        "modulation.bias": [Part(f"{block}.adaLN_modulation.0.bias", (4 * dim,)) for block in modulated],
    }
    layers = [
        ("patch_embedding", f"all_x_embedder.{key}", dim, patch),
        ("caption_embedding", "cap_embedder.1", dim, config.cap_feat_dim),
        ("time_embedding.hidden", "t_embedder.mlp.0", TIME_HIDDEN, 2 * FREQUENCIES),
        ("time_embedding.out", "t_embedder.mlp.2", time, TIME_HIDDEN),
        ("final_modulation", f"all_final_layer.{key}.adaLN_modulation.1", dim, time),
        ("final_layer", f"all_final_layer.{key}.linear", patch, dim),
    ]
    unmodulated = [f"context_refiner.{i}" for i in range(config.n_refiner_layers)]
    blocks = {block: block for block in [*modulated, *unmodulated]}
    if config.siglip_feat_dim is not None:
        layout["vision_pad"] = [Part("siglip_pad_token", (1, dim), "token")]
        layout["vision_norm.weight"] = [Part("siglip_embedder.0.weight", (config.siglip_feat_dim,))]
        layers.append(("vision_embedding", "siglip_embedder.1", dim, config.siglip_feat_dim))
        blocks |= {f"vision_refiner.{i}": f"siglip_refiner.{i}" for i in range(config.n_refiner_layers)}
    for ours, published, fan_out, fan_in in layers:
        layout[f"{ours}.weight"] = [Part(f"{published}.weight", (fan_out, fan_in))]
        layout[f"{ours}.bias"] = [Part(f"{published}.bias", (fan_out,))]
    for ours, published in blocks.items():
        layout |= {f"{ours}.{name}": parts for name, parts in block_parts(published, config)}
    return Fusion(layout, config.head_dim)


def block_parts(block: str, config: SingleStreamConfig) -> Iterator[tuple[str, list[Part]]]:
    """The tensors of one block, ours named from the block on."""
    dim, head, hidden = config.dim, config.head_dim, config.hidden_dim
    yield (
        "attention.qkv.weight",
        [
            Part(f"{block}.attention.to_q.weight", (dim, dim), "heads"),
            Part(f"{block}.attention.to_k.weight", (dim, dim), "heads"),
            Part(f"{block}.attention.to_v.weight", (dim, dim)),
        ],
    )
    yield "attention.out.weight", [Part(f"{block}.attention.to_out.0.weight", (dim, dim))]
    yield "attention.norm_q", [Part(f"{block}.attention.norm_q.weight", (head,), "heads")]
    yield "attention.norm_k", [Part(f"{block}.attention.norm_k.weight", (head,), "heads")]
    yield "feed_forward.w13.weight", [Part(f"{block}.feed_forward.{w}.weight", (hidden, dim)) for w in ("w1", "w3")]
    yield "feed_forward.w2.weight", [Part(f"{block}.feed_forward.w2.weight", (dim, hidden))]
    yield "attention_norm_in", [Part(f"{block}.attention_norm1.weight", (dim,))]
    yield "attention_norm_out", [Part(f"{block}.attention_norm2.weight", (dim,))]
    yield "feed_forward_norm_in", [Part(f"{block}.ffn_norm1.weight", (dim,))]
    yield "feed_forward_norm_out", [Part(f"{block}.ffn_norm2.weight", (dim,))]
