"""ControlNets for Z-Image: the published names, in the original files too, and those that ComfyUI makes of them."""

from __future__ import annotations

from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.dialects import z_image
from mezzotint.models.dialects.layout import Dialect, Stored, numbered, unchanged

REFINER_INPUT = "control_noise_refiner.0.before_proj.weight"


def config(tensors: Stored) -> dict[str, Any]:
    """What shapes do not tell, the layers that are led, depends on the network: only their number is given here.
    Of a refiner that has no layers of its own there is none.

    Raises:
        FileFormatError: A tensor that tells a size is missing or has no such axis.
    """
    try:
        width, patch = tensors["control_all_x_embedder.2-1.weight"].shape
        (head,) = tensors["control_layers.0.attention.norm_q.weight"].shape
    except (KeyError, ValueError) as cause:
        raise FileFormatError(f"the sizes of a ControlNet for Z-Image cannot be told: {cause} is missing") from cause
    layers, refiner_layers = numbered(tensors, "control_layers"), numbered(tensors, "control_noise_refiner")
    return {
        "_class_name": "ZImageControlNetModel",
        "all_patch_size": [2],
        "all_f_patch_size": [1],
        "control_in_dim": patch // 4,
        "control_layers": layers,
        "add_control_noise_refiner": _refiner(tensors, refiner_layers),
        "dim": width,
        "n_refiner_layers": refiner_layers or None,
        "n_heads": width // max(1, head),
        "n_kv_heads": width // max(1, head),
        "norm_eps": 1e-5,
        "qk_norm": True,
    }


def _refiner(tensors: Stored, layers: int) -> str | None:
    """Whose layers lead the noise refiner: its own (2.1), the control's (2.0), or none (1.0).

    A file of 2.0 may carry a refiner that was never trained; its first projection is still zero, as diffusers knows it.
    """
    if REFINER_INPUT in tensors:
        return "control_noise_refiner" if tensors[REFINER_INPUT].read(None).any() else "control_layers"
    return None if layers else "control_layers"


NETWORK = "ControlNet for Z-Image"
DIFFUSERS = Dialect(
    component="controlnet",
    network=NETWORK,
    name="diffusers",
    marks=(
        "control_all_x_embedder.2-1.weight",
        "control_layers.0.before_proj.weight",
        "control_layers.0.attention.to_q.weight",
    ),
    to_published=unchanged,
    from_published=unchanged,
    config=config,
)
ORIGINAL = Dialect(
    component="controlnet",
    network=NETWORK,
    name="original",
    marks=(
        "control_all_x_embedder.2-1.weight",
        "control_layers.0.before_proj.weight",
        "control_layers.0.attention.qkv.weight",
    ),
    to_published=z_image.to_published,
    from_published=z_image.from_published,
    config=config,
)
