"""ControlNets for the tiny model, one of each release, in folders that diffusers writes."""

from pathlib import Path

from tests.generation.tiny_model import TRANSFORMER
from tests.models.adapters.control.oracle import RELEASES, control_config, random_control


def write_controls(folder: Path) -> dict[str, Path]:
    """The folder of each release, every parameter random."""
    for seed, release in enumerate(RELEASES):
        random_control(control_config(release, TRANSFORMER), seed).save_pretrained(folder / release)
    return {release: folder / release for release in RELEASES}
