from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from tests.models.vision_language.small_tower import oracle, small_tokenizer, small_tower
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from mezzotint.models.vision_language import QWEN2_5_VL_7B, VisionLanguageTower, from_published, to_published

OUTPUT = "lm_head.weight"


def test_the_released_tower_has_its_published_tensors() -> None:
    with torch.device("meta"):
        theirs = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**QWEN2_5_VL_7B.to_json()))
        tower = VisionLanguageTower(QWEN2_5_VL_7B, small_tokenizer())
    nested = {name.replace("model.visual.", "visual."): tensor.shape for name, tensor in theirs.state_dict().items()}
    expected = {name.replace("model.language_model.", "model."): shape for name, shape in nested.items()}
    output = expected.pop(OUTPUT)
    assert {name: tensor.shape for name, tensor in to_published(tower.state_dict()).items()} == expected
    count = sum(parameter.numel() for parameter in tower.parameters())
    assert (count, count + output.numel()) == (7_747_169_280, 8_292_166_656)


def test_a_file_of_transformers_has_these_names(tmp_path: Path) -> None:
    tower = small_tower()
    oracle(tower).save_pretrained(tmp_path)
    written = load_file(tmp_path / "model.safetensors")
    del written[OUTPUT]
    published = to_published(tower.state_dict())
    assert written.keys() == published.keys()
    assert all(torch.equal(written[name], published[name]) for name in written)


def test_round_trip() -> None:
    state = small_tower().state_dict()
    back = from_published(to_published(state) | {OUTPUT: torch.ones(1)}, vision=True)
    assert back.keys() == state.keys()
    assert all(back[name] is state[name] for name in state)


def test_without_vision_the_language_model_is_left() -> None:
    tower = small_tower()
    language = VisionLanguageTower(replace(tower.config, vision=None), tower.tokenizer)
    language.load_state_dict(from_published(to_published(tower.state_dict()), vision=False))
    assert torch.equal(language.encode(["a red disc"])[0], tower.encode(["a red disc"])[0])


def test_strangers_keep_their_names() -> None:
    assert from_published({"other.weight": 1}, vision=True) == {"other.weight": 1}
