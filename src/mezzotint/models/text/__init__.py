"""The text tower: a causal language model of which the diffusion transformer reads a hidden state."""

from mezzotint.models.text.config import MINI, QWEN3_4B, TextConfig
from mezzotint.models.text.model import TextTower, build, init_weights
from mezzotint.models.text.state_dict import from_published
from mezzotint.models.text.tokenizer import in_chat, load_tokenizer, save_tokenizer, train_tokenizer

__all__ = [
    "MINI",
    "QWEN3_4B",
    "TextConfig",
    "TextTower",
    "build",
    "from_published",
    "in_chat",
    "init_weights",
    "load_tokenizer",
    "save_tokenizer",
    "train_tokenizer",
]
