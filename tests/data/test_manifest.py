import json
from pathlib import Path

import pytest
import torch

from mezzotint.data import manifest
from mezzotint.data.manifest import Encoding, Manifest, ShardEntry, StoredFile, require_models, weights_digest
from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.models import bundle


def write_model(folder: Path, *, vae: float = 1.0, text: float = 2.0, name: str = "diffusion_pytorch_model") -> Path:
    bundle.write_weights(folder / "vae", {"w": torch.tensor([vae])}, name)
    bundle.write_weights(folder / "text_encoder", {"w": torch.tensor([text])}, "model")
    return folder


def encoding(model: Path) -> Encoding:
    return Encoding(
        models={component: weights_digest(model, component) for component in manifest.COMPONENTS},
        channels=4,
        downscale=8,
        caption_dim=6,
        options={"sizes": ["64x64"], "captions_per_picture": None},
    )


@pytest.fixture
def whole(tmp_path: Path) -> Manifest:
    stored = StoredFile(bytes=3, sha256="ab")
    shard = ShardEntry(name="a-00000", source_sha256="cd", samples=1, files={"x": stored})
    return Manifest(encoding=encoding(write_model(tmp_path / "model")), empty=stored, shards=(shard,), complete=True)


def test_what_is_written_is_read(tmp_path: Path, whole: Manifest) -> None:
    manifest.write(tmp_path, whole)
    assert manifest.read(tmp_path) == whole


def test_a_folder_without_a_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="is not an encoded folder"):
        manifest.read(tmp_path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / manifest.NAME).write_text('{"version": 7}')
    with pytest.raises(FileFormatError, match="has version 7, this program reads 1"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("field", ["encoding", "empty", "shards", "complete", "encoding/models", "shards/0/files"])
def test_a_missing_field_is_one_clear_line(tmp_path: Path, whole: Manifest, field: str) -> None:
    manifest.write(tmp_path, whole)
    content = json.loads((tmp_path / manifest.NAME).read_text())
    *way, last = field.split("/")
    inner = content
    for name in way:
        inner = inner[int(name) if name.isdigit() else name]
    del inner[last]
    (tmp_path / manifest.NAME).write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=f"does not have the fields of a manifest.*{last}"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("name", ["../a", "..", "/etc", "a/b", ""])
def test_names_stay_in_the_folder(tmp_path: Path, whole: Manifest, name: str) -> None:
    manifest.write(tmp_path, whole)
    text = (tmp_path / manifest.NAME).read_text()
    for inside in ('"a-00000"', '"x"'):
        (tmp_path / manifest.NAME).write_text(text.replace(inside, json.dumps(name)))
        with pytest.raises(FileFormatError, match="outside of its folder"):
            manifest.read(tmp_path)


def test_a_digest_is_of_the_weights_alone(tmp_path: Path) -> None:
    one = write_model(tmp_path / "one")
    same = write_model(tmp_path / "same", name="renamed")
    (same / "vae" / "config.json").write_text("{}")
    other = write_model(tmp_path / "other", vae=1.5)
    assert weights_digest(one, "vae") == weights_digest(same, "vae") != weights_digest(other, "vae")


def test_the_model_that_made_it_is_accepted_and_another_refused(tmp_path: Path) -> None:
    made_with = encoding(write_model(tmp_path / "model"))
    require_models(made_with, write_model(tmp_path / "copy"), tmp_path)
    with pytest.raises(InputError, match=r"was encoded with another vae than that of .*other"):
        require_models(made_with, write_model(tmp_path / "other", vae=9.0), tmp_path)
    third = write_model(tmp_path / "third", text=9.0)
    with pytest.raises(InputError, match="was encoded with another text_encoder"):
        require_models(made_with, third, tmp_path)
    require_models(made_with, third, tmp_path, ("vae",))  # nobody reads its features
