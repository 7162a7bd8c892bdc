import shutil
from pathlib import Path

import torch
from tests.data.small_corpus import record, shape
from tests.recipes.tiny_runs import options, train
from transformers import AutoTokenizer, Qwen3Model

from mezzotint.data.records import read_records, write_shard
from mezzotint.generation.loading import load_text_tower
from mezzotint.models.text import load_tokenizer
from mezzotint.recipes.tiny import tiny_text
from mezzotint.runtime import checkpoints


def test_transformers_opens_what_is_exported_and_reads_the_same_features(towers: Path):
    prompt = "a red disc"
    tokenizer = AutoTokenizer.from_pretrained(towers / "tokenizer")
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True, enable_thinking=True
    )
    ids = tokenizer([text], return_tensors="pt").input_ids
    model = Qwen3Model.from_pretrained(towers / "text_encoder", dtype=torch.float32)
    with torch.no_grad():
        theirs = model(ids, output_hidden_states=True).hidden_states[-2][0]
    ours = load_text_tower(towers, torch.float32).encode([prompt])[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_pictures_without_captions_are_left_out(corpus: Path, tmp_path: Path):
    data = shutil.copytree(corpus, tmp_path / "corpus")
    photograph = record("photograph", shape("red", "disc"), [])
    write_shard(data / "photos" / "records-00000.parquet", [photograph])
    assert "photograph" in [one.id for one in read_records(data)]
    batches = tiny_text().prepare(options(data, tmp_path / "run")).batches
    assert "photograph" not in [id for step in range(len(batches)) for id in batches.at(step).ids]


def test_a_resumed_run_keeps_its_tokenizer(corpus: Path, tmp_path: Path):
    """Even where the captions have changed meanwhile: the weights belong to the tokens."""
    chosen = options(corpus, tmp_path / "run", steps=3)
    train("tiny-text", chosen)
    path = tmp_path / "run" / "tokenizer" / "tokenizer.json"
    before = path.read_bytes()
    (first,) = checkpoints.steps(tmp_path / "run" / "checkpoints")
    tiny_text().prepare(chosen)
    assert path.read_bytes() == before
    assert load_tokenizer(path.parent).get_vocab_size() <= tiny_text().text.vocab_size
    assert first.name == "step-00000003"
