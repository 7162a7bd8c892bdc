"""The two towers of `mini-clip`, from the folder that its recipe exports."""

from pathlib import Path

import torch

from mezzotint.errors import FileFormatError
from mezzotint.generation.loading import load_text_tower
from mezzotint.models.bundle import load_into, read_json, read_weights
from mezzotint.models.components import naming
from mezzotint.perception.dual_encoder import DualEncoder, DualEncoderConfig

PICTURES = "picture_encoder"  # the component with the picture tower and the map of the text's features
TEXT = "text."  # how the text tower's weights begin in the dual encoder


def load_dual_encoder(folder: Path, device: torch.device | str = "cpu") -> DualEncoder:
    """A trained pair of towers, fp32, ready to run.

    Raises:
        MissingFileError: A file is missing.
        FileFormatError: A file is broken, or does not fit its configuration.
    """
    path = folder / PICTURES / "config.json"
    with naming(path):
        config = DualEncoderConfig.from_json(read_json(path))
        text = load_text_tower(folder, torch.float32)
        try:
            encoder = DualEncoder(text, config)
        except (ValueError, RuntimeError, ZeroDivisionError, IndexError) as cause:
            raise FileFormatError(f"no network can have these sizes ({cause})") from cause
    own = {f"{TEXT}{name}": weight for name, weight in text.state_dict().items()}
    load_into(encoder, own | read_weights(folder / PICTURES, torch.float32), folder)
    return encoder.to(device).eval().requires_grad_(False)
