"""Say what a file holds: a PNG's parameters, the components of a model folder, the networks in a file of weights.

Only headers are read, so it takes as long for a large model as for a small one.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.bundle import INDEX, embedded_models, find_model, read_json, weight_files
from mezzotint.models.dialects import guess, recognize
from mezzotint.models.formats import WeightsFile, open_weights

STATE = "state.json"  # of a training run's checkpoint
MAX_NOTE = 200  # letters of a note that people are shown
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to look at."""

    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """A PNG, a .safetensors or .gguf file, a model folder, or the name of an embedded model."""
    json: bool = False
    """Print JSON."""


def run(options: Options) -> None:
    path = find_model(options.file) if options.file in embedded_models() else Path(options.file)
    found = inspect(path)
    print(json.dumps(found, ensure_ascii=False) if options.json else as_text(found))


def inspect(path: Path) -> dict[str, Any]:
    """What `path` holds, as JSON; `kind` says which sort of thing it is.

    Raises:
        MissingFileError: There is nothing there.
        FileFormatError: It is broken, or nothing that is known here.
    """
    if path.is_dir():
        return inspect_model(path) if (path / INDEX).is_file() else inspect_weights(path)
    if not path.exists():
        raise MissingFileError(f"{path} is missing")
    try:
        with path.open("rb") as file:
            signature = file.read(len(PNG_SIGNATURE))
    except OSError as cause:
        raise FileFormatError(f"{path} cannot be read: {cause.strerror}") from cause
    if signature == PNG_SIGNATURE:
        return inspect_picture(path)
    if path.suffix == ".png":
        raise FileFormatError(f"{path} is not a PNG, whatever its name says")
    return inspect_weights(path)


def inspect_picture(path: Path) -> dict[str, Any]:
    """How a picture was made, as far as it says so: our parameters, or the text that another program wrote."""
    from mezzotint.generation.picture_files import TEXT_CHUNK, read_parameters, read_texts

    parameters = read_parameters(path)
    found: dict[str, Any] = {"kind": "picture", "path": str(path)}
    if parameters is not None:
        return found | {"parameters": asdict(parameters)}
    return found | {"parameters": None, "text": read_texts(path).get(TEXT_CHUNK)}


def inspect_model(folder: Path) -> dict[str, Any]:
    """The components of a model folder and the totals of those with weights."""
    index = read_json(folder / INDEX)
    components = []
    for name, entry in index.items():
        if name.startswith("_") or not isinstance(entry, list) or len(entry) != 2 or None in entry:
            continue
        component = {"name": name, "class": str(entry[1])}
        if (folder / name / "config.json").is_file():
            component |= _totals(_opened(folder / name))
        elif not (folder / name).is_dir():
            raise MissingFileError(f"{folder / name} is missing, which {folder / INDEX} names")
        components.append(component)
    defaults = read_json(folder / "mezzotint.json") if (folder / "mezzotint.json").is_file() else None
    return {
        "kind": "model",
        "path": str(folder),
        "class": index.get("_class_name"),
        "defaults": defaults,
        "components": components,
        "parameters": sum(component.get("parameters", 0) for component in components),
        "bytes": sum(component.get("bytes", 0) for component in components),
    }


def inspect_weights(path: Path) -> dict[str, Any]:
    """The tensors of one file, or of one component's folder."""
    files = _opened(path)
    stored = {name: tensor for file in files for name, tensor in file.tensors.items()}
    tensors = [{"name": name, "dtype": one.dtype, "shape": list(one.shape)} for name, one in stored.items()]
    metadata = {key: value for file in files for key, value in file.metadata.items()}
    totals = {key: value for key, value in _totals(files).items() if key != "tensors"}
    networks = [
        {
            "component": found.dialect.component,
            "network": found.dialect.network,
            "dialect": found.dialect.name,
            "prefix": found.prefix,
            "tensors": len(found.tensors),
            "parameters": sum(tensor.elements for tensor in found.tensors.values()),
        }
        for found in recognize(stored)
    ]
    return {
        "kind": "weights",
        "path": str(path),
        "format": files[0].format,
        "networks": networks,
        "seems": None if networks else _said_by_the_folder(path) or guess(stored),
        **totals,
        "metadata": metadata,
        "tensors": tensors,
    }


def _said_by_the_folder(path: Path) -> str | None:
    """What the files beside the weights call them."""
    if (path / STATE).is_file():
        return f"a checkpoint at step {read_json(path / STATE).get('step')}; train … --export makes a model of it"
    if (path / "config.json").is_file():
        config = read_json(path / "config.json")
        return next((f"a {name}" for name in (config.get("_class_name"), config.get("model_type")) if name), None)
    return None


def _opened(path: Path) -> list[WeightsFile]:
    return [open_weights(file) for file in weight_files(path)]


def _totals(files: Iterable[WeightsFile]) -> dict[str, Any]:
    """Tensors, parameters, parameters of each dtype, bytes."""
    entries = [tensor for file in files for tensor in file.tensors.values()]
    dtypes: Counter[str] = Counter()
    for entry in entries:
        dtypes[entry.dtype] += entry.elements
    return {
        "tensors": len(entries),
        "parameters": sum(dtypes.values()),
        "dtypes": dict(dtypes),
        "bytes": sum(entry.nbytes for entry in entries),
    }


# Text ---------------------------------------------------------------------------------------------


def as_text(found: dict[str, Any]) -> str:
    """The same for people."""
    lines = {"picture": _picture_lines, "model": _model_lines, "weights": _weights_lines}[found["kind"]](found)
    return "\n".join(lines)


def _picture_lines(found: dict[str, Any]) -> list[str]:
    if found["parameters"] is None:
        return [f"{found['path']}: {found['text'] or 'a PNG that does not say how it was made'}"]
    rows = [(name.replace("_", " "), value) for name, value in found["parameters"].items() if value not in (None, "")]
    return [f"{name:<16}{value}" for name, value in rows]


def _model_lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['path']}: {found['class']}, {_size(found)}"]
    if found["defaults"]:
        lines.append("defaults: " + ", ".join(f"{name} {value}" for name, value in found["defaults"].items()))
    for part in found["components"]:
        counted = f", {part['tensors']} tensors, {_size(part)}, {_dtypes(part)}" if "tensors" in part else ""
        lines.append(f"  {part['name']:<14}{part['class']}{counted}")
    return lines


def _weights_lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['path']}: {len(found['tensors'])} tensors, {_size(found)}, {_dtypes(found)}"]
    lines += [_network_line(network) for network in found["networks"]]
    lines += [f"  it seems to be {found['seems']}"] if found["seems"] else []
    lines += [f"  {key}: {value[:MAX_NOTE]}" for key, value in found["metadata"].items()]
    width = max((len(tensor["name"]) for tensor in found["tensors"]), default=0)
    return lines + [f"  {one['name']:<{width}}  {one['dtype']:<5} {one['shape']}" for one in found["tensors"]]


def _network_line(network: dict[str, Any]) -> str:
    under = f", under {network['prefix']}" if network["prefix"] else ""
    counted = f"{network['tensors']} tensors, {network['parameters']:,} parameters"
    return f"  {network['component']}: {network['network']} in the {network['dialect']} layout{under}, {counted}"


def _size(found: dict[str, Any]) -> str:
    return f"{found['parameters']:,} parameters, {found['bytes'] / 1e6:.1f} MB"


def _dtypes(found: dict[str, Any]) -> str:
    return " + ".join(found["dtypes"]) or "empty"
