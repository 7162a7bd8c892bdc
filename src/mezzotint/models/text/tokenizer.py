"""Byte-level BPE as Qwen has it: any text has tokens, and those of the training captions are few.

Normalisation, splitting and the chat template are the release's, so that one code path serves both vocabularies;
`chat_template.jinja` is the Qwen3 tokenizer's own (Apache-2.0).
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.bundle import read_json
from mezzotint.runtime import atomic

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL = (END_OF_TEXT, TURN_START, TURN_END)
# Contractions; words with the one character before them; single digits; punctuation; line ends; other white space.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PARTS = ("vocab.json", "merges.txt")
CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")


def in_chat(prompt: str) -> str:
    """The prompt as a user's turn with the assistant's turn opened: what the template makes with thinking enabled."""
    return f"{TURN_START}user\n{prompt}{TURN_END}\n{TURN_START}assistant\n"


def train_tokenizer(captions: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn merges from captions. The vocabulary can end smaller than `vocab_size` when they have too little to merge.

    The template's words count once for every caption, as every prompt will have them. Words in capitals, as
    pictures show them, are spelled, a token a letter: who knows the letters can then write words that no caption had.
    """
    tokenizer = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_as_prompted(captions), trainer)
    return _spelling_capitals(tokenizer)


def _spelling_capitals(tokenizer: Tokenizer) -> Tokenizer:
    """Without the merges that hold a capital anywhere but at their beginning or after the space there."""
    content = json.loads(tokenizer.to_str())
    merges = content["model"]["merges"]
    content["model"]["merges"] = [pair for pair in merges if not re.search("[A-Z]", "".join(pair).lstrip("Ġ")[1:])]
    return Tokenizer.from_str(json.dumps(content))


def _byte_level(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _as_prompted(captions: Iterable[str]) -> Iterator[str]:
    for caption in captions:
        yield from ("user\n", caption, "\n", "assistant\n")


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write a `tokenizer/` folder that transformers' `AutoTokenizer` opens."""
    atomic.write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=True))
    atomic.write_text(folder / "chat_template.jinja", CHAT_TEMPLATE.read_text())
    settings = {
        "tokenizer_class": "Qwen2Tokenizer",
        "model_max_length": 131_072,
        "padding_side": "right",
        "pad_token": END_OF_TEXT,
        "eos_token": TURN_END,
        "bos_token": None,
        "unk_token": None,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": False,
    }
    atomic.write_json(folder / "tokenizer_config.json", settings)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a `tokenizer/` folder: its `tokenizer.json`, else `vocab.json` and `merges.txt`, as older have.

    Raises:
        MissingFileError: There is neither.
        FileFormatError: It cannot be read, or lacks the template's special tokens.
    """
    path = folder / "tokenizer.json"
    if not path.is_file() and not all((folder / name).is_file() for name in PARTS):
        raise MissingFileError(f"{path} is missing")
    path = path if path.is_file() else folder / PARTS[0]
    try:
        tokenizer = _from_parts(folder) if path.name == PARTS[0] else Tokenizer.from_file(str(path))
    except (FileFormatError, MissingFileError):
        raise
    except Exception as cause:  # the library raises plain Exception
        raise FileFormatError(f"{path} is not a tokenizer: {cause}") from cause
    if missing := [token for token in SPECIAL if tokenizer.token_to_id(token) is None]:
        raise FileFormatError(f"{path} lacks the token {missing[0]}, which every prompt needs")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _from_parts(folder: Path) -> Tokenizer:
    """From its vocabulary and merges, and the special tokens of `tokenizer_config.json`, which follow those.

    Raises:
        FileFormatError: A special token has another number than it says, or the file has another form.
    """
    vocabulary, merges = models.BPE.read_file(*(str(folder / name) for name in PARTS))
    tokenizer = _byte_level(models.BPE(vocabulary, merges))
    path = folder / "tokenizer_config.json"
    added = read_json(path).get("added_tokens_decoder")
    if not isinstance(added, dict) or not all(
        isinstance(token, dict) and "content" in token for token in added.values()
    ):
        raise FileFormatError(f"{path} does not list the special tokens (added_tokens_decoder)")
    for number, token in sorted(added.items(), key=lambda item: int(item[0])):
        tokenizer.add_tokens([AddedToken(token["content"], special=bool(token.get("special")), normalized=False)])
        if tokenizer.token_to_id(token["content"]) != int(number):
            raise FileFormatError(f"{path}: {token['content']} is not token {number} after those of {PARTS[0]}")
    return tokenizer
