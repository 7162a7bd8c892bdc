import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from diffusers import ZImagePipeline

from mezzotint.models import bundle
from mezzotint.models.text import MINI, QWEN3_4B, TextConfig, TextTower, build, from_published, in_chat, init_weights
from mezzotint.models.text.tokenizer import save_tokenizer

from .conftest import CAPTIONS, TINY

PROMPTS = [CAPTIONS[4], "", CAPTIONS[0], CAPTIONS[7], "unseen wörds, 未见过的话 and 3 digits 4711 " * 3]


@pytest.fixture
def oracle(tower: TextTower, tmp_path: Path) -> SimpleNamespace:
    """What `ZImagePipeline._encode_prompt` needs of a pipeline, opened by transformers from a written folder."""
    bundle.write_weights(tmp_path / "text_encoder", tower.state_dict(), bundle.TRANSFORMERS_WEIGHTS)
    (tmp_path / "text_encoder" / "config.json").write_text(json.dumps(TINY.to_json()))
    save_tokenizer(tower.tokenizer, tmp_path / "tokenizer")
    return SimpleNamespace(
        _execution_device=torch.device("cpu"),
        tokenizer=transformers.AutoTokenizer.from_pretrained(tmp_path / "tokenizer"),
        text_encoder=transformers.Qwen3Model.from_pretrained(tmp_path / "text_encoder").eval(),
    )


@torch.no_grad()
@pytest.mark.parametrize("max_tokens", [64, 11])
def test_features_are_diffusers(tower: TextTower, oracle: SimpleNamespace, max_tokens: int) -> None:
    expected = ZImagePipeline._encode_prompt(oracle, list(PROMPTS), max_sequence_length=max_tokens)
    found = tower.encode(PROMPTS, max_tokens=max_tokens)
    assert [len(features) for features in found] == [len(features) for features in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert theirs.std() > 0.1
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_next_token_logits_are_transformers(tower: TextTower, oracle: SimpleNamespace) -> None:
    ids = tower.padded(tower.token_ids([CAPTIONS[0]], 64))
    model = transformers.Qwen3ForCausalLM(oracle.text_encoder.config).eval()
    model.model.load_state_dict(tower.model.state_dict())
    torch.testing.assert_close(tower.next_token_logits(tower.features(ids)), model(ids).logits, rtol=1e-4, atol=1e-5)


def test_alone_and_in_a_batch_are_equal(tower: TextTower) -> None:
    together = tower.encode(PROMPTS)
    for prompt, features in zip(PROMPTS, together, strict=True):
        torch.testing.assert_close(tower.encode([prompt])[0], features, rtol=1e-5, atol=1e-6)


def test_segments_bring_their_own_template(tower: TextTower) -> None:
    ours = tower.encode_segments([in_chat(PROMPTS[0]), "red apple"], max_tokens=9)
    torch.testing.assert_close(ours[0], tower.encode(PROMPTS[:1], max_tokens=9)[0], rtol=1e-5, atol=1e-6)
    assert len(ours[1]) == len(tower.tokenizer.encode("red apple").ids) < 9


def test_positions_survive_a_cast_to_bf16(tower: TextTower) -> None:
    """transformers' table of angles would be rounded: token 40's by a tenth of a radian."""
    exact = tower._rotary(torch.zeros(1, 64, 32))
    rounded = tower.to(torch.bfloat16)._rotary(torch.zeros(1, 64, 32))
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0)


@pytest.mark.parametrize(("config", "parameters"), [(QWEN3_4B, 4_022_468_096), (MINI, 5_771_264)])
def test_released_sizes(config: TextConfig, parameters: int) -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in build(config).parameters()) == parameters


def test_equal_generators_give_equal_weights(tower: TextTower) -> None:
    init_weights(tower, torch.Generator().manual_seed(1))
    first = {name: weight.clone() for name, weight in tower.state_dict().items()}
    init_weights(tower, torch.Generator().manual_seed(1))
    for name, weight in tower.state_dict().items():
        torch.testing.assert_close(weight, first[name], rtol=0, atol=0)


def test_both_published_layouts_are_read(tower: TextTower) -> None:
    bare = tower.model.state_dict()
    with_head = {f"model.{name}": weight for name, weight in bare.items()} | {"lm_head.weight": torch.zeros(400, 32)}
    for published in (bare, with_head):
        assert from_published(published).keys() == tower.state_dict().keys()
