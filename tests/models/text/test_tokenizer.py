import unicodedata
from pathlib import Path

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.text.tokenizer import SPECIAL, in_chat, load_tokenizer, save_tokenizer, train_tokenizer

from .conftest import CAPTIONS


@pytest.fixture(scope="session")
def folder(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(tokenizer, folder)
    return folder


@given(text=st.text())
def test_any_text_comes_back(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text).ids
    if not any(token in text for token in SPECIAL):
        assert tokenizer.decode(ids, skip_special_tokens=False) == unicodedata.normalize("NFC", text)


def test_the_template_costs_eight_tokens_and_a_caption_few(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode(in_chat("")).ids) == 8
    assert len(tokenizer.encode(in_chat(CAPTIONS[1])).ids) <= 8 + 7
    assert max(len(tokenizer.encode(in_chat(caption)).ids) for caption in CAPTIONS) < 32


def test_transformers_opens_the_folder_and_agrees(tokenizer: Tokenizer, folder: Path) -> None:
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    prompts = [*CAPTIONS, "", "  two  spaces\n\nand lines ", "e\u0301 digits 12345", "<|im_end|> inside", "🍎👩‍🚀"]
    for prompt in prompts:
        message = [{"role": "user", "content": prompt}]
        text = theirs.apply_chat_template(message, tokenize=False, add_generation_prompt=True, enable_thinking=True)
        assert text == in_chat(prompt)
        assert theirs(text).input_ids == tokenizer.encode(text).ids
    assert theirs.pad_token == "<|endoftext|>"
    assert theirs.padding_side == "right"
    assert len(theirs) == tokenizer.get_vocab_size()


def test_loading_gives_the_same_tokens(tokenizer: Tokenizer, folder: Path) -> None:
    loaded = load_tokenizer(folder)
    assert [loaded.encode(caption).ids for caption in CAPTIONS] == [tokenizer.encode(c).ids for c in CAPTIONS]


def test_training_is_deterministic() -> None:
    assert train_tokenizer(CAPTIONS, 350).to_str() == train_tokenizer(iter(CAPTIONS), 350).to_str()


def test_the_vocabulary_ends_at_the_asked_size_or_with_the_merges() -> None:
    assert train_tokenizer(CAPTIONS, 350).get_vocab_size() == 350
    assert train_tokenizer(CAPTIONS[:1], 350).get_vocab_size() < 350


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"tokenizer\.json is missing"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("content", ["{", "{}", '{"model": 3}'])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(FileFormatError, match=r"tokenizer\.json is not a tokenizer"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_without_the_templates_tokens_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    (tmp_path / "tokenizer.json").write_text(tokenizer.to_str().replace("<|im_end|>", "<|other|>"))
    with pytest.raises(FileFormatError, match=r"lacks the token <\|im_end\|>"):
        load_tokenizer(tmp_path)
