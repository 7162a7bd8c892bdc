import json
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


class TestParts:
    """Folders of older releases, Qwen-Image's among them: a vocabulary, merges, and a list of special tokens."""

    @pytest.fixture
    def parts(self, tokenizer: Tokenizer, tmp_path: Path) -> Path:
        content = json.loads(tokenizer.to_str())["model"]
        plain = {token: number - len(SPECIAL) for token, number in content["vocab"].items() if token not in SPECIAL}
        added = {len(plain) + i: {"content": token, "special": True} for i, token in enumerate((*SPECIAL, "<tool>"))}
        (tmp_path / "vocab.json").write_text(json.dumps(plain))
        (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, content["merges"])]))
        settings = {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": added, "pad_token": "<|endoftext|>"}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
        return tmp_path

    def test_they_make_the_tokenizer_that_transformers_makes(self, parts: Path) -> None:
        ours, theirs = load_tokenizer(parts), transformers.Qwen2Tokenizer.from_pretrained(parts)
        for text in [*map(in_chat, CAPTIONS), "", "  two  spaces\n\nand lines ", "e\u0301 12345 <tool>", "🍎👩‍🚀"]:
            assert ours.encode(text).ids == theirs(text).input_ids

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("vocab.json", "{", r"vocab\.json is not a tokenizer"),
            ("merges.txt", "a", r"vocab\.json is not a tokenizer"),
            ("tokenizer_config.json", "{}", "does not list the special tokens"),
            ("tokenizer_config.json", '{"added_tokens_decoder": {"1": "x"}}', "does not list the special tokens"),
            (
                "tokenizer_config.json",
                '{"added_tokens_decoder": {"7": {"content": "<s>"}}}',
                "<s> is not token 7 after",
            ),
            ("tokenizer_config.json", '{"added_tokens_decoder": {"x": {"content": "<s>"}}}', "is not a tokenizer"),
            ("tokenizer_config.json", '{"added_tokens_decoder": {}}', r"lacks the token <\|endoftext\|>"),
        ],
    )
    def test_broken_ones_are_named(self, parts: Path, name: str, content: str, reason: str) -> None:
        (parts / name).write_text(content)
        with pytest.raises(FileFormatError, match=reason):
            load_tokenizer(parts)


def test_words_in_capitals_are_spelled() -> None:
    tokenizer = train_tokenizer(['the word "TREE"', "文字“TREE”", "The tree"] * 50, 400)
    for prompt in ('the word "TREE"', "文字“TREE”"):
        assert [token for token in tokenizer.encode(prompt).tokens if "E" in token] == ["E", "E"]
    assert tokenizer.encode("The").tokens == ["The"]
