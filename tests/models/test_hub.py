"""With a cache made by hand, in huggingface-hub's layout, and without a network."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from mezzotint.errors import UnknownModelError
from mezzotint.models import bundle, hub

COMMITS = {"main": "a" * 40, "v2": "b" * 40}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--somebody--some-model"
    for reference, commit in COMMITS.items():
        snapshot = repository / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "model_index.json").write_text("{}")
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / reference).write_text(commit)
    return repository


def test_a_hub_id_is_a_folder_in_the_cache(cache: Path) -> None:
    assert bundle.find_model("somebody/some-model") == cache / "snapshots" / COMMITS["main"]


@pytest.mark.parametrize("revision", ["v2", COMMITS["v2"]])
def test_a_revision(cache: Path, revision: str) -> None:
    assert bundle.find_model("somebody/some-model", revision) == cache / "snapshots" / COMMITS["v2"]


def test_what_is_not_there_is_one_line() -> None:
    for name, revision in (("somebody/other", None), ("somebody/some-model", "v3")):
        with pytest.raises(UnknownModelError, match=r"is not in the cache .*HF_HUB_OFFLINE is set") as caught:
            bundle.find_model(name, revision)
        assert "\n" not in str(caught.value)
        assert (revision or "") in str(caught.value)


def test_the_form_of_an_id() -> None:
    assert hub.is_hub_id("Tongyi-MAI/Z-Image-Turbo")
    assert not any(map(hub.is_hub_id, ("mini", "../x", "a/b/c", "/a/b", "a/", "a b/c", "a/.b")))
