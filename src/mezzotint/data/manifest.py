"""What stands in an encoded folder, and what it was made with.

<folder>/manifest.json             this; rewritten (atomically) after every shard, `complete` at the end
<folder>/empty.features            the features of the empty prompt, for caption dropout
<folder>/<part>-00000/…            one folder a shard (data/shards.py), one shard a record file of the corpus
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.models import bundle
from mezzotint.runtime import atomic

NAME = "manifest.json"
VERSION = 1
Component = Literal["vae", "text_encoder"]
COMPONENTS: tuple[Component, ...] = ("vae", "text_encoder")


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file's size in bytes and its SHA-256 (hexadecimal)."""

    bytes: int
    sha256: str

    @staticmethod
    def of(path: Path) -> "StoredFile":
        with path.open("rb") as file:
            return StoredFile(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


@dataclass(frozen=True, kw_only=True)
class ShardEntry:
    """One finished shard: its folder's name, the digest of the record file it was made from, its files."""

    name: str
    source_sha256: str
    samples: int
    files: Mapping[str, StoredFile]


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What determines the content of an encoded folder; two folders with equal ones can be mixed, others cannot."""

    models: Mapping[str, str]  # component name to the digest of its weights
    channels: int  # of a latent
    downscale: int  # pixels a latent, along one side
    caption_dim: int
    options: Mapping[str, Any]  # of the encoding command


@dataclass(frozen=True, kw_only=True)
class Manifest:
    encoding: Encoding
    empty: StoredFile
    shards: tuple[ShardEntry, ...]
    complete: bool


def weights_digest(model: Path, component: str) -> str:
    """The SHA-256 of the weights of one component of a model folder, whatever its files are named."""
    digest = hashlib.sha256()
    for path in bundle.weight_files(model / component):
        digest.update(bytes.fromhex(StoredFile.of(path).sha256))
    return digest.hexdigest()


def require_models(encoding: Encoding, model: Path, folder: Path, components: Sequence[Component] = COMPONENTS) -> None:
    """Refuse to train on latents and features with a model whose autoencoder or text tower did not make them.

    `components`: what of the encoded folder will be read, latents or features or both.

    Raises InputError.
    """
    for component in components:
        if weights_digest(model, component) != encoding.models[component]:
            raise InputError(
                f"{folder} was encoded with another {component} than that of {model}: "
                f"encode the corpus again with --model {model}, or train from the model that it was encoded with"
            )


def write(folder: Path, manifest: Manifest) -> None:
    atomic.write_json(folder / NAME, {"version": VERSION, **dataclasses.asdict(manifest)})


def read(folder: Path) -> Manifest:
    """The manifest of a folder, finished or not.

    Raises MissingFileError for a folder without one, FileFormatError for a broken one or one of another version.
    """
    path = folder / NAME
    if not path.is_file():
        raise MissingFileError(f"{folder} is not an encoded folder (no {NAME}): make one with mezzotint encode")
    content = bundle.read_json(path)
    version = content.pop("version", None)
    if version != VERSION:
        raise FileFormatError(f"{path} has version {version!r}, this program reads {VERSION}: encode the corpus again")
    try:
        return Manifest(
            encoding=Encoding(**content.pop("encoding")),
            empty=StoredFile(**content.pop("empty")),
            shards=tuple(map(_shard_entry, content.pop("shards"))),
            **content,
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise FileFormatError(
            f"{path} does not have the fields of a manifest ({error}): encode the corpus again"
        ) from error


def _shard_entry(fields: dict[str, Any]) -> ShardEntry:
    files = {name: StoredFile(**stored) for name, stored in fields.pop("files").items()}
    if outside := [name for name in (fields["name"], *files) if name in ("", "..") or Path(name).name != name]:
        raise FileFormatError(f"a manifest names a file outside of its folder: {outside[0]!r}")
    return ShardEntry(files=files, **fields)
