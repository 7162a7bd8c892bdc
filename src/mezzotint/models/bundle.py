"""Model folders in the published layout: where they are, their JSON files, their weights.

A model is a folder with a `model_index.json` and one folder for each component (`transformer/`, `vae/`, …), each with
a `config.json` and its weights as safetensors: one file, or shards listed by `*.safetensors.index.json`; a `variant`
(fp16) stands in their names. Pickled weights are refused, since reading one runs what it says. Nothing here imports
torch until tensors are asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mezzotint.errors import FileFormatError, InputError, MissingFileError, OutputError, UnknownModelError
from mezzotint.models import hub
from mezzotint.models.formats import PICKLES, Reading, StoredTensor, open_weights
from mezzotint.models.formats.safetensors import read_header
from mezzotint.runtime import atomic

if TYPE_CHECKING:
    import torch
    from torch import Tensor

EMBEDDED = Path(__file__).parents[1] / "bundles"  # the models that come with the package
INDEX = "model_index.json"
DIFFUSERS_WEIGHTS = "diffusion_pytorch_model"  # the file name without suffix: transformer/, vae/
TRANSFORMERS_WEIGHTS = "model"  # text_encoder/
MAX_JSON_BYTES = 16_000_000
MAX_SHARD_BYTES = 5_000_000_000
MAX_NAMED = 3  # how many names an error lists


# Finding ------------------------------------------------------------------------------------------


def embedded_models() -> list[str]:
    """The names of the models that come with the package."""
    return sorted(index.parent.name for index in EMBEDDED.glob(f"*/{INDEX}"))


def find_model(name_or_path: str | Path, revision: str | None = None, variant: str | None = None) -> Path:
    """The folder of a model: an embedded model's name, a path, or a hub id like `Tongyi-MAI/Z-Image-Turbo`.

    Of a hub model the `revision` (branch, tag or commit; the main branch without one) and the `variant` of its weights
    are taken, from the cache of huggingface-hub or into it.

    Raises:
        UnknownModelError: It is none of these, or the hub cannot give it.
        InputError: A revision is asked for of what is not on a hub.
        MissingFileError: It is a folder, but not a model's.
    """
    is_embedded = str(name_or_path) in embedded_models()
    folder = EMBEDDED / str(name_or_path) if is_embedded else Path(name_or_path)
    if revision is not None and folder.is_dir():
        raise InputError(f"revision {revision!r} is for a hub id; model {str(name_or_path)!r} is a folder here")
    if not folder.is_dir():
        if not hub.is_hub_id(str(name_or_path)):
            known = ", ".join(embedded_models()) or "none"
            raise UnknownModelError(
                f"model {str(name_or_path)!r} is neither a folder nor an embedded model (there are: {known})"
            )
        folder = hub.fetch(str(name_or_path), revision, variant)
    if not (folder / INDEX).is_file():
        raise MissingFileError(f"{folder} is not a model folder: it has no {INDEX}")
    return folder


def digest(model: Path) -> str:
    """The SHA-256, in hexadecimal, of all the weights of a model folder: names and bytes, in order of name."""
    total = hashlib.sha256()
    for path in sorted(model.glob("*/*.safetensors")):
        with path.open("rb") as file:
            part = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(model).as_posix()} {part}\n".encode())
    return total.hexdigest()


# Reading ------------------------------------------------------------------------------------------


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is not JSON, not an object, or larger than any configuration is.
    """
    try:
        size = path.stat().st_size
        if size > MAX_JSON_BYTES:
            raise FileFormatError(f"{path} has {size} bytes; a configuration has at most {MAX_JSON_BYTES}")
        content = json.loads(path.read_bytes())
    except FileNotFoundError as cause:
        raise MissingFileError(f"{path} is missing") from cause
    except OSError as cause:
        raise FileFormatError(f"{path} cannot be read: {cause.strerror}") from cause
    except (ValueError, RecursionError) as cause:
        raise FileFormatError(f"{path} is not valid JSON: {cause}") from cause
    if not isinstance(content, dict):
        raise FileFormatError(f"{path} holds a JSON {type(content).__name__}, not an object")
    return content


def weight_files(folder_or_file: Path, variant: str | None = None) -> list[Path]:
    """The files of one component: a file itself; a folder's published name or its shards; its only file.

    Raises:
        MissingFileError: There are none, or none of the variant.
        FileFormatError: There are only pickles, several unlisted files, or the index is broken.
    """
    if folder_or_file.is_file():
        if folder_or_file.suffix in PICKLES:
            raise FileFormatError(
                f"{folder_or_file} is a pickle, which can run code when read; only safetensors are read"
            )
        return [folder_or_file]
    if not folder_or_file.is_dir():
        raise MissingFileError(f"{folder_or_file} is missing")
    in_name, in_index = (f".{variant}", f"{variant}.json") if variant else ("", "json")
    for name in (DIFFUSERS_WEIGHTS, TRANSFORMERS_WEIGHTS):
        if (single := folder_or_file / f"{name}{in_name}.safetensors").is_file():
            return [single]
        if (index := folder_or_file / f"{name}.safetensors.index.{in_index}").is_file():
            return _shards(index)
    if variant:
        raise MissingFileError(f"{folder_or_file} has no weights of the variant {variant!r}")
    return _only_files(folder_or_file)


def _only_files(folder: Path) -> list[Path]:
    """The one file, or the shards of the one index, of a folder without the published names."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".gguf"))
    indices = sorted(folder.glob("*.safetensors.index*.json"))
    if len(files) > 1 and len(indices) == 1:
        return _shards(indices[0])
    if len(files) > 1:
        raise FileFormatError(f"{folder} holds {len(files)} weight files and no index that says which to read")
    if files:
        return files
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles:
        only = f"{folder} has only pickled weights ({pickles[0]}), which can run code when read"
        raise FileFormatError(f"{only}; convert them to safetensors")
    raise MissingFileError(f"{folder} has no *.safetensors file")


def _shards(index: Path) -> list[Path]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise FileFormatError(f"{index} has no weight_map of names")
    names = sorted(set(weight_map.values()))
    if outside := [name for name in names if Path(name).name != name]:
        raise FileFormatError(f"{index} names a file outside its folder: {outside[0]!r}")
    files = [index.parent / name for name in names]
    held = {tensor: file.name for file in files for tensor in read_header(file).tensors}
    if wrong := [tensor for tensor, name in weight_map.items() if held.get(tensor) != name]:
        raise FileFormatError(f"{index}: tensors are not in the files that it names: {_some(wrong)}")
    return files


def open_files(folder_or_file: Path, variant: str | None = None) -> dict[str, StoredTensor]:
    """All tensors of one component under the names of its files, none of them read yet.

    Raises:
        MissingFileError: A file is missing.
        FileFormatError: A file is broken, a pickle, or a tensor stands in two files.
    """
    stored: dict[str, StoredTensor] = {}
    for path in weight_files(folder_or_file, variant):
        tensors = open_weights(path).tensors
        if twice := [name for name in tensors if name in stored]:
            raise FileFormatError(f"{path}: tensors that stand in another file too: {_some(twice)}")
        stored |= tensors
    return stored


def read_weights(folder_or_file: Path, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
    """All tensors of one component, on the CPU; floating ones cast to `dtype` when it is given.

    Raises:
        MissingFileError, FileFormatError: As `open_files`.
    """
    return dict(Reading(open_files(folder_or_file), dtype))


def load_into(module: torch.nn.Module, state: Mapping[str, Tensor], what: Path | str) -> None:
    """Give a module its weights: the same names, the same shapes, nothing more and nothing less.

    The module takes over the tensors of `state`, and with them their dtype.

    Raises:
        FileFormatError: Names or shapes differ; one line says which, for the file or folder `what`.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    complaints = []
    if missing := sorted(wanted.keys() - found.keys()):
        complaints.append(f"missing {_some(missing)}")
    if unknown := sorted(found.keys() - wanted.keys()):
        complaints.append(f"unknown {_some(unknown)}")
    if wrong := sorted(name for name in wanted.keys() & found.keys() if wanted[name] != found[name]):
        shapes = [f"{name} {list(found[name])} instead of {list(wanted[name])}" for name in wrong]
        complaints.append(f"wrong shapes: {_some(shapes)}")
    if complaints:
        raise FileFormatError(f"{what} does not fit its configuration: {'; '.join(complaints)}")
    module.load_state_dict(dict(state), assign=True)


def _some(names: Iterable[str]) -> str:
    """A few of the names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


# Writing ------------------------------------------------------------------------------------------


def write_weights(
    folder: Path, state: Mapping[str, Tensor], name: str = DIFFUSERS_WEIGHTS, max_shard_bytes: int = MAX_SHARD_BYTES
) -> None:
    """Write `{name}.safetensors` into a component's folder, or numbered shards and their index when it is larger.

    Each file is there whole or not at all, and the index comes last.

    Raises:
        OutputError: The folder cannot be written.
    """
    shards = _split(state, max_shard_bytes)
    if len(shards) == 1:
        _write_file(folder / f"{name}.safetensors", shards[0])
        return
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = f"{name}-{number:05d}-of-{len(shards):05d}.safetensors"
        _write_file(folder / file, shard)
        weight_map |= dict.fromkeys(shard, file)
    total = sum(tensor.nbytes for tensor in state.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    atomic.write_json(folder / f"{name}.safetensors.index.json", index)


def _write_file(path: Path, state: Mapping[str, Tensor]) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    plain = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
    try:
        with atomic.file(path) as temporary:
            save_file(plain, temporary, metadata={"format": "pt"})  # transformers asks for this line
    except SafetensorError as cause:
        raise OutputError(f"cannot write {path}: {cause}") from cause


def _split(state: Mapping[str, Tensor], max_bytes: int) -> list[dict[str, Tensor]]:
    """Fill shards in order; a tensor larger than a shard has one to itself."""
    shards: list[dict[str, Tensor]] = [{}]
    free = max_bytes
    for name, tensor in state.items():
        if shards[-1] and tensor.nbytes > free:
            shards.append({})
            free = max_bytes
        shards[-1][name] = tensor
        free -= tensor.nbytes
    return shards
