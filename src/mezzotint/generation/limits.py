"""How large a picture a network can make and how long a prompt it can read: where its tables of positions end."""

from mezzotint.errors import InputError
from mezzotint.models.dual_stream import DualStreamTransformer
from mezzotint.models.dual_stream.rotary import POSITIONS
from mezzotint.models.single_stream import SingleStreamTransformer
from mezzotint.models.single_stream.geometry import PAD_MULTIPLE

QWEN_IMAGE_TOKENS = 1024  # of a prompt, its turn's marks included


def most_tokens(network: SingleStreamTransformer | DualStreamTransformer) -> int:
    """Tokens of a prompt, its turn's marks included."""
    if isinstance(network, DualStreamTransformer):
        return QWEN_IMAGE_TOKENS
    return (network.config.axes_lens[0] - 2) // PAD_MULTIPLE * PAD_MULTIPLE  # the picture stands behind


def check_size(
    network: SingleStreamTransformer | DualStreamTransformer, downscale: int, *, width: int, height: int
) -> None:
    """
    Args:
        downscale: A picture's side over its latent's.
        width, height: In pixels.

    Raises:
        InputError: One is no multiple of what a token shows, or beyond the network's positions.
    """
    side = downscale * network.config.patch_size
    if isinstance(network, DualStreamTransformer):
        columns = rows = 2 * (POSITIONS - QWEN_IMAGE_TOKENS)  # a caption begins beyond half of the longer side
    else:
        _, rows, columns = network.config.axes_lens
    for name, value, most in (("width", width, columns * side), ("height", height, rows * side)):
        if value < side or value % side:
            raise InputError(f"{name} is {value}; it must be a multiple of {side}")
        if value > most:
            raise InputError(f"{name} is {value}; this model goes up to {most}")
