import pytest
from transformers import Qwen3Config

from mezzotint.errors import FileFormatError
from mezzotint.models.text import MINI, QWEN3_4B, TextConfig


@pytest.mark.parametrize("config", [QWEN3_4B, MINI])
def test_json_round_trip(config: TextConfig) -> None:
    assert TextConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("config", [QWEN3_4B, MINI])
def test_transformers_reads_and_writes_the_same(config: TextConfig) -> None:
    theirs = Qwen3Config(**config.to_json())
    assert theirs.rope_parameters["rope_theta"] == config.rope_theta
    assert TextConfig.from_json(theirs.to_dict()) == config


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_type": "llama"}, "llama"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6}}, "yarn"),
        ({"hidden_size": "wide"}, "wrong form"),
        ({"rope_theta": None}, "wrong form"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: dict[str, object], named: str) -> None:
    with pytest.raises(FileFormatError, match=named):
        TextConfig.from_json(MINI.to_json() | change)


def test_a_missing_value_is_named() -> None:
    values = MINI.to_json()
    del values["head_dim"]
    with pytest.raises(FileFormatError, match="head_dim"):
        TextConfig.from_json(values)
