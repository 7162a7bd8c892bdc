from pathlib import Path

import pytest
from huggingface_hub import constants
from tests.guides.blocks import Block, blocks, commands
from tests.guides.published_models import cache, write_files
from tests.guides.qwen_image_models import RELEASES

from mezzotint.cli.main import main

PAGE = Path("docs/guides/run-the-published-models.md").absolute()


@pytest.mark.slow
def test_every_command_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the page's order, in a folder that has the files it names."""
    folder = tmp_path / "folder"
    write_files(folder)
    cache(folder / "models" / "Z-Image", "Tongyi-MAI/Z-Image-Turbo", tmp_path / "cache")
    for name in RELEASES:
        cache(folder / "models" / name, f"Qwen/{name}", tmp_path / "cache")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(folder)
    for block in blocks(PAGE):
        run(block)
    assert len(list((folder / "out").glob("*.png"))) >= 5
    assert all((folder / name).is_file() for name in ("apple.png", "winter.png", "door.png", "dancer.png"))
    assert all((folder / name).exists() for name in ("z-image-q4_0.gguf", "turbo/transformer", "vae.safetensors"))


def run(block: Block) -> None:
    match block.language:
        case "sh":
            for command in commands(block):
                assert main(command) == 0, " ".join(command)
        case "python":
            exec(compile(block.text, PAGE.name, "exec"), {})
