import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.recipes.tiny_runs import options, train
from transformers import Qwen3Model

from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.generation.loading_dual_encoder import load_dual_encoder
from mezzotint.recipes.tiny import tiny_clip


@pytest.fixture(scope="module")
def exported(corpus: Path, towers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    train("tiny-clip", options(corpus, folder / "run", model=str(towers))).export(folder / "model")
    return folder / "model"


def test_what_is_exported_embeds_both(exported: Path) -> None:
    encoder = load_dual_encoder(exported)
    assert encoder.pictures.config == tiny_clip().pictures
    captions = ["a red disc", "红色圆"]
    with torch.no_grad():
        texts = encoder.embed_captions(captions, 64)
        pictures = encoder.embed_pictures(torch.zeros(2, 3, 20, 30))
    assert texts.shape == pictures.shape == (2, 16)
    np.testing.assert_allclose(texts.norm(dim=1), 1, atol=1e-5)


def test_its_text_tower_is_the_models_first_layers_in_the_published_layout(towers: Path, exported: Path) -> None:
    whole, first = (Qwen3Model.from_pretrained(folder / "text_encoder") for folder in (towers, exported))
    assert len(first.layers) == tiny_clip().text_layers <= len(whole.layers)
    assert first.embed_tokens.weight.shape == whole.embed_tokens.weight.shape


def test_a_model_is_needed_and_must_have_the_layers(corpus: Path, towers: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs --model"):
        tiny_clip().prepare(options(corpus, tmp_path))
    with pytest.raises(InputError, match="text tower of 2 layers"):
        replace(tiny_clip(), text_layers=9).prepare(options(corpus, tmp_path, model=str(towers)))


def test_a_language_that_nobody_speaks_is_said(corpus: Path, towers: Path, tmp_path: Path) -> None:
    french = replace(tiny_clip(), objective=replace(tiny_clip().objective, languages=("en", "fr")))
    with pytest.raises(InputError, match="too few captions in 'fr' of split 'val'"):
        french.prepare(options(corpus, tmp_path, model=str(towers)))


def test_a_broken_folder_is_said(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"config\.json is missing"):
        load_dual_encoder(tmp_path)
    copy = shutil.copytree(exported, tmp_path / "copy")
    config = copy / "picture_encoder" / "config.json"
    values = json.loads(config.read_text())
    for change, said in (
        ({"embedding": 8}, "wrong shapes"),
        ({"norm_groups": 3}, "sizes"),
        ({"widths": "x"}, "number"),
    ):
        config.write_text(json.dumps(values | change))
        with pytest.raises(FileFormatError, match=said):
            load_dual_encoder(copy)
    config.write_text("{}")
    with pytest.raises(FileFormatError, match="has no 'picture_size'"):
        load_dual_encoder(copy)
