"""Which embedders there are, by name; a folder names another one."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch

from mezzotint.curation.vectors.embedders import (
    DualEncoderEmbedder,
    EfficientNetEmbedder,
    PictureEmbedder,
    SentenceEmbedder,
    TextEmbedder,
    load_published,
)
from mezzotint.data.manifest import StoredFile
from mezzotint.errors import InputError
from mezzotint.generation.loading_dual_encoder import PICTURES as PICTURE_TOWER
from mezzotint.generation.loading_dual_encoder import load_dual_encoder
from mezzotint.models.bundle import EMBEDDED
from mezzotint.perception.dual_encoder import CLIP_TOKENS
from mezzotint.perception.efficientnet import load_efficientnet
from mezzotint.runtime.device import resolve_device

EMBEDDERS: dict[str, Callable[[torch.device], PictureEmbedder | TextEmbedder]] = {
    "efficientnet-lite0": lambda device: EfficientNetEmbedder(load_efficientnet(), device),
    "sentences": lambda device: SentenceEmbedder(),
}
CLIP = "mini-clip"  # comes with the package


def load_picture_embedder(name: str, device: str | None) -> PictureEmbedder:
    """An embedder of pictures, and perhaps of texts.

    Raises InputError for a name that is none, or that of an embedder of texts; the errors of the embedder's files.
    """
    embedder = load_embedder(name, device)
    if not isinstance(embedder, PictureEmbedder):
        raise InputError(f"embedder {name!r} reads texts only: efficientnet-lite0 and mini-clip see pictures")
    return embedder


def load_text_embedder(name: str, device: str | None) -> TextEmbedder:
    """An embedder of texts, and perhaps of pictures; likewise."""
    embedder = load_embedder(name, device)
    if not isinstance(embedder, TextEmbedder):
        raise InputError(f"embedder {name!r} sees pictures only: sentences and mini-clip read texts")
    return embedder


@lru_cache(maxsize=4)
def load_embedder(name: str, device: str | None) -> PictureEmbedder | TextEmbedder:
    """One of `EMBEDDERS`, `mini-clip`, or a folder of its kind, SigLIP 2 or Chinese-CLIP. Loaded once a process."""
    if name in EMBEDDERS:
        return EMBEDDERS[name](resolve_device(device))
    folder = _folder(name)
    if (folder / PICTURE_TOWER).is_dir():
        return DualEncoderEmbedder(load_dual_encoder(folder, resolve_device(device)), CLIP_TOKENS)
    return load_published(folder, resolve_device(device))


def identity(name: str) -> str:
    """Says which embedder that is, and changes whenever its weights do."""
    if name in EMBEDDERS:
        return name
    files = sorted(_folder(name).rglob("*.safetensors"))
    digest = hashlib.sha256("".join(StoredFile.of(path).sha256 for path in files).encode())
    return f"{_folder(name).name} {digest.hexdigest()[:16]}"


def _folder(name: str) -> Path:
    folder = EMBEDDED / CLIP if name == CLIP else Path(name)
    if not folder.is_dir():
        raise InputError(f"embedder {name!r} is neither a folder nor one of {', '.join((*EMBEDDERS, CLIP))}")
    return folder
