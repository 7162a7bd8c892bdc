"""Where a model's parts come from: one folder, or a folder and single files that replace some of its components."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mezzotint.errors import FileFormatError, InputError, UnknownModelError
from mezzotint.models.bundle import find_model, weight_files
from mezzotint.models.dialects import Dialect, guess, recognize
from mezzotint.models.formats import open_weights

# The rest of a model of which somebody has a single file, by a network in it.
PUBLISHED = "Tongyi-MAI/Z-Image-Turbo"
PUBLISHED_FOR = dict.fromkeys(
    ("Qwen-Image transformer", "Qwen2.5-VL text encoder", "AutoencoderKLQwenImage"), "Qwen/Qwen-Image"
)
COMPONENTS = ("transformer", "text_encoder", "vae")
FURTHER = ("siglip", "controlnet")  # components that some folders have beside those
FILES = (".safetensors", ".gguf")


@dataclass(frozen=True)
class Sources:
    """A model folder, and for each component the folder or file that holds it. `variant` is of the folder's weights."""

    folder: Path
    components: dict[str, Path]
    variant: str | None = None

    @property
    def name(self) -> str:
        """For people and picture files."""
        replaced = [path for component, path in self.components.items() if path != self.folder / component]
        names = [path.name if path.is_dir() else path.stem for path in replaced]
        return " + ".join([self.folder.resolve().name, *dict.fromkeys(names)])

    def variant_of(self, component: str) -> str | None:
        """A single file has none."""
        return self.variant if self.components[component] == self.folder / component else None

    @property
    def nbytes(self) -> int:
        """Of all files of weights."""
        paths = {file for name, path in self.components.items() for file in weight_files(path, self.variant_of(name))}
        return sum(path.stat().st_size for path in paths)

    def digest(self, further: Iterable[Path] = ()) -> str:
        """The SHA-256, in hexadecimal, of all weights, and of `further` files: names and bytes, in order of name."""
        files = {
            f"{component}/{file.name}": file
            for component, path in self.components.items()
            for file in weight_files(path, self.variant_of(component))
        }
        files |= {f"lora/{place}/{path.name}": path for place, path in enumerate(further)}
        total = hashlib.sha256()
        for name in sorted(files):
            with files[name].open("rb") as file:
                total.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        return total.hexdigest()


def find_sources(
    name: str | Path,
    *,
    base: str | Path | None = None,
    vae: str | Path | None = None,
    text_encoder: str | Path | None = None,
    controlnet: str | Path | None = None,
    variant: str | None = None,
    revision: str | None = None,
) -> Sources:
    """A model by its name, or by a file of weights.

    Args:
        name: What `find_model` takes, or a .safetensors or .gguf file; one file may hold several components.
        base: The model that has what such a file lacks; the published Z-Image-Turbo or Qwen-Image when left out.
        vae, text_encoder, controlnet: Files or folders that replace these components, or come to them.
        variant: Of the weights in a model folder, like fp16. revision: A branch, tag or commit of a hub id.

    Raises:
        UnknownModelError: No model answers to the name.
        InputError: There is a base, but no single file that lacks anything; or a revision of what is not on a hub.
        MissingFileError: A file is missing.
        FileFormatError: The file is broken, or holds no network that is known.
    """
    single = Path(name) if Path(name).suffix in FILES and not Path(name).is_dir() else None
    held = [] if single is None else _networks_of(single)
    if single is None and base is not None:
        raise InputError(f"base {str(base)!r} has what a single file lacks, and model {str(name)!r} is no file")
    if single is None or base is not None:
        folder = find_model(name if base is None else base, revision, variant)
    else:
        folder = _find_release(single, held, revision, variant)
    components = _of_folder(folder) | dict.fromkeys((one.component for one in held), Path(name))
    given = {"vae": vae, "text_encoder": text_encoder, "controlnet": controlnet}
    components |= {component: Path(path) for component, path in given.items() if path is not None}
    return Sources(folder, components, variant)


def _find_release(single: Path, held: list[Dialect], revision: str | None, variant: str | None) -> Path:
    """The release that a file's networks are from.

    Raises:
        UnknownModelError: It is not in the cache and cannot be fetched.
    """
    name = next((PUBLISHED_FOR[one.network] for one in held if one.network in PUBLISHED_FOR), PUBLISHED)
    try:
        return find_model(name, revision, variant)
    except UnknownModelError as cause:
        networks = " and ".join(one.network for one in held)
        raise UnknownModelError(f"{single} holds {networks} only; give a base that has the rest: {cause}") from cause


def _networks_of(file: Path) -> list[Dialect]:
    """What a file of weights holds.

    Raises:
        FileFormatError: Nothing that is known.
    """
    tensors = open_weights(file).tensors
    held = [found.dialect for found in recognize(tensors)]
    if [one.component for one in held] == ["controlnet"]:
        raise FileFormatError(f"{file} is a ControlNet; it leads a model (--control) and is none itself")
    if [one.component for one in held] == ["vision"]:
        raise FileFormatError(f"{file} is a {held[0].network}; put it beside its text encoder's file (--text-encoder)")
    if not held:
        raise FileFormatError(f"{file} holds no network that is known here; it seems to be {guess(tensors)}")
    return held


def as_sources(model: Path | Sources) -> Sources:
    """A model folder as sources, all from the folder."""
    if isinstance(model, Sources):
        return model
    return Sources(model, _of_folder(model))


def _of_folder(folder: Path) -> dict[str, Path]:
    further = [component for component in FURTHER if (folder / component).is_dir()]
    return {component: folder / component for component in (*COMPONENTS, *further)}
