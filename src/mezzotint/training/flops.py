"""Floating-point operations of a training step, counted from the sizes: matrix products and attention, nothing else.

A product of n tokens with a matrix of p parameters takes 2·n·p forward and twice that backward: 6·n·p. Attention over n
tokens of width d takes 4·n²·d forward: 12·n²·d. Recomputed activations are not counted: they are not the model's work.
"""

from collections.abc import Sequence

from mezzotint.models.single_stream import SingleStreamConfig
from mezzotint.models.single_stream.geometry import padded
from mezzotint.models.single_stream.model import FREQUENCIES, TIME_HIDDEN


def single_stream_flops(config: SingleStreamConfig, patches: int, captions: Sequence[int]) -> float:
    """One step on pictures of `patches` patches each with captions of these numbers of tokens, pads included."""
    picture = padded(patches)
    return float(sum(_sample(config, picture, padded(caption)) for caption in captions))


def _sample(config: SingleStreamConfig, picture: int, caption: int) -> int:
    d, joint = config.dim, picture + caption
    block = 4 * d**2 + 3 * d * config.hidden_dim
    refiners, layers = config.n_refiner_layers, config.n_layers
    tokens_times_parameters = (
        block * (refiners * picture + refiners * caption + layers * joint)
        + 2 * config.patch_dim * d * picture  # in and out
        + config.cap_feat_dim * d * caption
        + _per_picture(config)
    )
    squares = refiners * picture**2 + refiners * caption**2 + layers * joint**2
    return 6 * tokens_times_parameters + 12 * d * squares


def _per_picture(config: SingleStreamConfig) -> int:
    """Parameters that see one vector a picture: the time embedding and the modulations."""
    embedding = 2 * FREQUENCIES * TIME_HIDDEN + TIME_HIDDEN * config.time_dim
    modulated = config.n_refiner_layers + config.n_layers
    return embedding + config.time_dim * config.dim * (4 * modulated + 1)
