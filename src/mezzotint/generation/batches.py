"""How many pictures go through a network together."""

import torch

# Picture tokens, both guidance branches counted. A processor is at its fastest with about a thousand (docs/log.md), and
# few let pictures appear early; an accelerator wants many.
CPU_BATCH_TOKENS, BATCH_TOKENS = 1024, 16_384
DECODED_PIXELS = 1024 * 1024


def sampled_together(device: torch.device, tokens: int) -> int:
    """Pictures that the transformer has at a time, each of so many `tokens` in all its guidance branches."""
    return max(1, (CPU_BATCH_TOKENS if device.type == "cpu" else BATCH_TOKENS) // tokens)


def decoded_together(pixels: int) -> int:
    """Pictures that the autoencoder has at a time, each of so many `pixels`."""
    return max(1, DECODED_PIXELS // pixels)
