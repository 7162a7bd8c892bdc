import pytest
import torch
from tokenizers import Tokenizer

from mezzotint.models.text import TextConfig, TextTower, build, train_tokenizer

CAPTIONS = [
    "a red apple",
    "a red apple on a blue background",
    "two green apples and a dog",
    "a small dog left of a big cat",
    "a sign that says “HELLO”, café style",
    "一个红苹果",
    "蓝色背景上的一个红苹果",
    "一只小狗在一只大猫的左边",
]

TINY = TextConfig(
    vocab_size=400,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=64,
    rms_norm_eps=1e-6,
    rope_theta=1e4,
)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train_tokenizer(CAPTIONS, TINY.vocab_size)


@pytest.fixture
def tower(tokenizer: Tokenizer) -> TextTower:
    """A tiny one with every parameter random, norms included."""
    tower = TextTower(build(TINY), tokenizer).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in tower.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * parameter.shape[-1] ** -0.5
    return tower
