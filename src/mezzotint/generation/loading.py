"""A model folder's components, on their device and in the working dtype."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from mezzotint.errors import FileFormatError
from mezzotint.generation.scheduler import Schedule, schedule_from_config
from mezzotint.generation.settings import Settings, read_defaults
from mezzotint.models.autoencoder.config import AutoencoderConfig
from mezzotint.models.autoencoder.model import Autoencoder
from mezzotint.models.bundle import INDEX, load_into, read_json, read_weights
from mezzotint.models.single_stream import SingleStreamConfig, SingleStreamTransformer, from_published
from mezzotint.models.text import TextConfig, TextTower, build, load_tokenizer
from mezzotint.models.text import from_published as text_from_published

PIPELINE = "ZImagePipeline"


@dataclass(frozen=True, kw_only=True)
class Components:
    """What a pipeline is made of."""

    transformer: SingleStreamTransformer
    autoencoder: Autoencoder
    text: TextTower
    schedule: Schedule
    defaults: Settings


def load_components(model: Path, device: torch.device, dtype: torch.dtype) -> Components:
    """All components of a model folder, ready to run.

    Raises:
        MissingFileError: A file is missing.
        FileFormatError: A file is broken, does not fit its configuration, or the model is of another kind.
    """
    kind = read_json(model / INDEX).get("_class_name")
    if kind != PIPELINE:
        raise FileFormatError(f"{model / INDEX}: the model is a {kind}, supported is {PIPELINE}")
    scheduler = model / "scheduler" / "scheduler_config.json"
    with _naming(scheduler):
        schedule = schedule_from_config(read_json(scheduler))
    return Components(
        defaults=read_defaults(model),
        schedule=schedule,
        transformer=load_transformer(model / "transformer", dtype).to(device),
        autoencoder=load_autoencoder(model / "vae", dtype).to(device),
        text=load_text_tower(model, dtype).to(device),
    )


def load_transformer(folder: Path, dtype: torch.dtype | None = None) -> SingleStreamTransformer:
    """The S3-DiT of a `transformer/` folder, on the CPU; in the dtype of its file when none is given."""
    with _naming(folder / "config.json"):
        config = SingleStreamConfig.from_json(read_json(folder / "config.json"))
    with torch.device("meta"):  # no memory and no time for weights that are replaced at once
        transformer = SingleStreamTransformer(config)
    with _naming(folder):
        state = from_published(read_weights(folder, dtype), config)
    load_into(transformer, state, folder)
    return transformer.eval().requires_grad_(False)


def load_autoencoder(folder: Path, dtype: torch.dtype | None = None) -> Autoencoder:
    """The autoencoder of a `vae/` folder, on the CPU; in the dtype of its file when none is given."""
    with _naming(folder / "config.json"):
        config = AutoencoderConfig.from_json(read_json(folder / "config.json"))
    with torch.device("meta"):
        autoencoder = Autoencoder(config)
    load_into(autoencoder, read_weights(folder, dtype), folder)
    return autoencoder.eval().requires_grad_(False)


def load_text_tower(model: Path, dtype: torch.dtype | None = None) -> TextTower:
    """The text tower of a model folder (`text_encoder/`, `tokenizer/`), on the CPU; in its file's dtype by default."""
    folder = model / "text_encoder"
    with _naming(folder / "config.json"):
        config = TextConfig.from_json(read_json(folder / "config.json"))
    with torch.device("meta"):
        network = build(config)
    network.rotary_emb = type(network.rotary_emb)(network.config)  # its tables are computed, so no file fills them
    tower = TextTower(network, load_tokenizer(model / "tokenizer"))
    load_into(tower, text_from_published(read_weights(folder, dtype)), folder)
    return tower.eval().requires_grad_(False)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file's name before a complaint about its content."""
    try:
        yield
    except FileFormatError as cause:
        raise cause if str(path) in str(cause) else FileFormatError(f"{path}: {cause}") from cause
