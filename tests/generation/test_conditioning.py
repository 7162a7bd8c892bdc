import pytest
import torch
from torch import Tensor

from mezzotint.generation.conditioning import CaptionRefiner
from mezzotint.generation.pipeline import Pipeline


@pytest.fixture
def encoded(pipe: Pipeline, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the text tower is asked for, in order."""
    asked: list[str] = []
    encode = pipe.text.encode

    def recording(prompts: list[str], max_tokens: int) -> list[Tensor]:
        asked.extend(prompts)
        return encode(prompts, max_tokens=max_tokens)

    monkeypatch.setattr(pipe.text, "encode", recording)
    return asked


@torch.no_grad()
def test_positive_then_negative(pipe: Pipeline) -> None:
    refiner = CaptionRefiner(pipe.text, pipe.transformer, max_tokens=224)
    condition = refiner.condition(["a red disc", "a blue box by the sea", "a red disc"], ["", "blue", ""])
    assert condition.both is not None
    assert (len(condition.positive), len(condition.both)) == (3, 6)
    features = pipe.text.encode(["a red disc", "a blue box by the sea", "a red disc", "", "blue", ""])
    expected = pipe.transformer.refine_captions(features)
    assert condition.both.lengths == expected.lengths
    torch.testing.assert_close(condition.both.tokens, expected.tokens, atol=1e-5, rtol=0)
    torch.testing.assert_close(condition.positive.tokens, expected.select([0, 1, 2]).tokens, atol=1e-5, rtol=0)


@torch.no_grad()
def test_without_negatives_there_is_one_branch(pipe: Pipeline, encoded: list[str]) -> None:
    condition = CaptionRefiner(pipe.text, pipe.transformer, max_tokens=224).condition(["a red disc"], None)
    assert condition.both is None
    assert encoded == ["a red disc"]


@torch.no_grad()
def test_the_last_calls_captions_are_kept_and_no_more(pipe: Pipeline, encoded: list[str]) -> None:
    refiner = CaptionRefiner(pipe.text, pipe.transformer, max_tokens=224)
    refiner.condition(["one", "one", "two"], ["", "", ""])
    assert encoded == ["one", "two", ""]
    refiner.condition(["two", "three"], ["", ""])
    assert encoded == ["one", "two", "", "three"]
    refiner.condition(["one"], None)
    assert encoded == ["one", "two", "", "three", "one"]


@torch.no_grad()
def test_long_captions_are_cut_to_the_limit(pipe: Pipeline) -> None:
    refiner = CaptionRefiner(pipe.text, pipe.transformer, max_tokens=40)
    assert refiner.condition(["disc " * 100], None).positive.lengths == (64,)
