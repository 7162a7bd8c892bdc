import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mezzotint.errors import FileFormatError, MissingFileError, OutputError, UnknownModelError
from mezzotint.models import bundle


@pytest.fixture
def state() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {f"layer.{i}.weight": torch.randn(4, 4, generator=generator) for i in range(5)}


def test_weights_come_back_as_written(tmp_path: Path, state: dict[str, Tensor]) -> None:
    bundle.write_weights(tmp_path / "vae", state)
    assert [path.name for path in (tmp_path / "vae").iterdir()] == ["diffusion_pytorch_model.safetensors"]
    read = bundle.read_weights(tmp_path / "vae")
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_large_weights_are_sharded_in_the_published_form(tmp_path: Path, state: dict[str, Tensor]) -> None:
    bundle.write_weights(tmp_path, state, max_shard_bytes=128)
    index = json.loads((tmp_path / "diffusion_pytorch_model.safetensors.index.json").read_text())
    assert index["metadata"] == {"total_size": 5 * 64}
    assert index["weight_map"]["layer.4.weight"] == "diffusion_pytorch_model-00003-of-00003.safetensors"
    read = bundle.read_weights(tmp_path)
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_reading_casts_floating_tensors_only(tmp_path: Path) -> None:
    bundle.write_weights(tmp_path, {"a": torch.ones(2), "ids": torch.arange(2)})
    read = bundle.read_weights(tmp_path, torch.bfloat16)
    assert (read["a"].dtype, read["ids"].dtype) == (torch.bfloat16, torch.int64)


def test_one_file_is_a_component_too(tmp_path: Path, state: dict[str, Tensor]) -> None:
    bundle.write_weights(tmp_path, state, name="any")
    assert bundle.read_weights(tmp_path / "any.safetensors").keys() == state.keys()
    assert bundle.weight_files(tmp_path) == [tmp_path / "any.safetensors"]


def test_the_published_name_wins_over_variants(tmp_path: Path, state: dict[str, Tensor]) -> None:
    bundle.write_weights(tmp_path, state, name="diffusion_pytorch_model.fp16")
    bundle.write_weights(tmp_path, state)
    assert [path.name for path in bundle.weight_files(tmp_path)] == ["diffusion_pytorch_model.safetensors"]


def test_two_unlisted_files_are_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    bundle.write_weights(tmp_path, state, name="one")
    bundle.write_weights(tmp_path, state, name="two")
    with pytest.raises(FileFormatError, match="holds 2 weight files and no index"):
        bundle.weight_files(tmp_path)


def test_pickles_are_refused(tmp_path: Path) -> None:
    pickle = tmp_path / "diffusion_pytorch_model.bin"
    torch.save({}, pickle)
    with pytest.raises(FileFormatError, match=r"only pickled weights \(diffusion_pytorch_model.bin\)"):
        bundle.read_weights(tmp_path)
    with pytest.raises(FileFormatError, match="is a pickle"):
        bundle.read_weights(pickle)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"has no \*.safetensors file"):
        bundle.read_weights(tmp_path)
    with pytest.raises(MissingFileError, match="absent is missing"):
        bundle.read_weights(tmp_path / "absent")


class TestIndex:
    @pytest.fixture
    def index(self, tmp_path: Path, state: dict[str, Tensor]) -> Path:
        bundle.write_weights(tmp_path, state, max_shard_bytes=128)
        return tmp_path / "diffusion_pytorch_model.safetensors.index.json"

    def test_a_missing_shard_is_named(self, index: Path) -> None:
        (index.parent / "diffusion_pytorch_model-00002-of-00003.safetensors").unlink()
        with pytest.raises(MissingFileError, match=r"00002-of-00003\.safetensors is missing"):
            bundle.read_weights(index.parent)

    def test_a_file_outside_the_folder_is_refused(self, index: Path) -> None:
        index.write_text(json.dumps({"weight_map": {"layer.0.weight": "../secret.safetensors"}}))
        with pytest.raises(FileFormatError, match=r"outside its folder: '\.\./secret\.safetensors'"):
            bundle.read_weights(index.parent)

    def test_a_tensor_that_is_not_where_it_should_be(self, index: Path) -> None:
        content = json.loads(index.read_text())
        content["weight_map"]["ghost"] = "diffusion_pytorch_model-00001-of-00003.safetensors"
        index.write_text(json.dumps(content))
        with pytest.raises(FileFormatError, match="not in the files that it names: ghost"):
            bundle.read_weights(index.parent)

    def test_no_weight_map(self, index: Path) -> None:
        index.write_text("{}")
        with pytest.raises(FileFormatError, match="has no weight_map"):
            bundle.read_weights(index.parent)

    def test_a_tensor_in_two_shards(self, index: Path) -> None:
        first = index.parent / "diffusion_pytorch_model-00001-of-00003.safetensors"
        third = index.parent / "diffusion_pytorch_model-00003-of-00003.safetensors"
        bundle.write_weights(index.parent, bundle.read_weights(first) | bundle.read_weights(third), name=third.stem)
        with pytest.raises(FileFormatError, match=r"not in the files that it names"):
            bundle.read_weights(index.parent)


class TestLoadInto:
    @pytest.fixture
    def module(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))

    def test_weights_and_dtype_are_taken_over(self, module: nn.Module) -> None:
        state = {name: torch.full_like(tensor, 2.0).bfloat16() for name, tensor in module.state_dict().items()}
        bundle.load_into(module, state, "vae")
        assert all(torch.all(p == 2.0) and p.dtype == torch.bfloat16 and p.requires_grad for p in module.parameters())

    def test_a_module_on_no_device_is_filled(self, module: nn.Module) -> None:
        with torch.device("meta"):
            empty = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
        bundle.load_into(empty, module.state_dict(), "vae")
        x = torch.ones(1, 2)
        assert torch.equal(empty(x), module(x))

    def test_every_fault_is_in_one_line(self, module: nn.Module) -> None:
        state = dict(module.state_dict())
        state["1.weight"] = torch.zeros(4, 5)
        del state["0.bias"]
        state |= {f"extra.{i}": torch.zeros(1) for i in range(5)}
        with pytest.raises(FileFormatError) as caught:
            bundle.load_into(module, state, "some/vae")
        assert str(caught.value) == (
            "some/vae does not fit its configuration: missing 0.bias; "
            "unknown extra.0, extra.1, extra.2 and 2 more; "
            "wrong shapes: 1.weight [4, 5] instead of [4, 3]"
        )


class TestReadJson:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"{", "not valid JSON"),
            (b"\xff\xfe\xff", "not valid JSON"),
            (b"[" * 100_000, "not valid JSON"),
            (b"[1]", "holds a JSON list"),
            (b" " * (bundle.MAX_JSON_BYTES + 1), "at most"),
        ],
    )
    def test_broken(self, tmp_path: Path, content: bytes, reason: str) -> None:
        path = tmp_path / "config.json"
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match=reason) as caught:
            bundle.read_json(path)
        assert str(path) in str(caught.value)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(MissingFileError, match=r"config\.json is missing"):
            bundle.read_json(tmp_path / "config.json")


class TestFindModel:
    def test_an_embedded_model_by_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "small").mkdir()
        (tmp_path / "small" / "model_index.json").write_text("{}")
        (tmp_path / "unfinished").mkdir()
        monkeypatch.setattr(bundle, "EMBEDDED", tmp_path)
        assert bundle.embedded_models() == ["small"]
        assert bundle.find_model("small") == tmp_path / "small"
        with pytest.raises(UnknownModelError, match=r"model 'large' .*\(there are: small\)"):
            bundle.find_model("large")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(MissingFileError, match=r"is not a model folder: it has no model_index.json"):
            bundle.find_model(tmp_path)
        (tmp_path / "model_index.json").write_text("{}")
        assert bundle.find_model(str(tmp_path)) == tmp_path


def test_the_digest_is_of_the_weights_alone(tmp_path: Path, state: dict[str, Tensor]) -> None:
    bundle.write_weights(tmp_path / "vae", state)
    before = bundle.digest(tmp_path)
    assert len(before) == 64
    (tmp_path / "README.md").write_text("changed")
    assert bundle.digest(tmp_path) == before
    bundle.write_weights(tmp_path / "vae", state | {"layer.0.weight": torch.zeros(4, 4)})
    assert bundle.digest(tmp_path) != before


def test_an_unwritable_folder_is_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        bundle.write_weights(tmp_path / "file" / "vae", state)
