from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mezzotint.data.records import Caption
from mezzotint.models.text import TextConfig, TextTower, build, train_tokenizer
from mezzotint.models.text import init_weights as init_text
from mezzotint.perception.dual_encoder import DualEncoder, DualEncoderConfig, init_weights
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.learning_rate import constant
from mezzotint.training.objectives.text import (
    CaptionContrast,
    contrast,
    draw_captions,
    first_of_each,
    next_token_loss,
    retrieval,
)
from mezzotint.training.optimizers import AdamW
from mezzotint.training.state import TrainState

NAMES = [("apple", "苹果"), ("dog", "小狗"), ("car", "汽车"), ("moon", "月亮"), ("tree", "大树"), ("fish", "金鱼")]
CAPTIONS = [
    (
        Caption(kind="short", language="en", text=f"a {en}"),
        Caption(kind="long", language="en", text=f"A picture of one {en} on a plain white background."),
        Caption(kind="short", language="zh", text=f"一个{zh}"),
        Caption(kind="long", language="zh", text=f"白色背景上的一个{zh}。"),
    )
    for en, zh in NAMES
]
TEXT = TextConfig(
    vocab_size=360,
    hidden_size=48,
    intermediate_size=96,
    num_hidden_layers=3,
    num_attention_heads=3,
    num_key_value_heads=1,
    head_dim=16,
    max_position_embeddings=64,
    rms_norm_eps=1e-6,
    rope_theta=1e4,
)
PICTURES = DualEncoderConfig(picture_size=16, widths=(16, 24), norm_groups=4, embedding=24)
OBJECTIVE = CaptionContrast(across_weight=0.5, token_weight=0.2, max_tokens=48)


@dataclass
class Batch:
    pictures: torch.Tensor
    captions: list[tuple[Caption, ...]]
    concepts: torch.Tensor

    def __len__(self) -> int:
        return len(self.pictures)


@pytest.fixture
def batch() -> Batch:
    pictures = torch.randn(len(NAMES), 3, 16, 16, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    return Batch(pictures, CAPTIONS, torch.arange(len(NAMES)))


def new_state(lr: float = 4e-3, dtype: torch.dtype = torch.float32) -> TrainState:
    tokenizer = train_tokenizer([caption.text for own in CAPTIONS for caption in own], TEXT.vocab_size)
    encoder = DualEncoder(TextTower(build(TEXT), tokenizer), PICTURES)
    init_text(encoder.text, torch.Generator().manual_seed(0))
    init_weights(encoder, torch.Generator().manual_seed(1))
    return TrainState(
        encoder,
        optimizer=AdamW(lr=lr, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0, rates={}),
        schedule=partial(constant, warmup=5),
        clip=1.0,
        average=0.9,
        device=torch.device("cpu"),
        dtype=dtype,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_overfits_one_batch(batch: Batch, dtype: torch.dtype) -> None:
    state, rng = new_state(dtype=dtype), Seeds(0)
    before = OBJECTIVE.validate(state, [batch], rng)
    for _ in range(80):
        metrics = OBJECTIVE.step(state, batch, rng)
        state.step += 1
    after = OBJECTIVE.validate(state, [batch], rng)
    assert before["retrieval_picture"] < 0.7
    assert after["retrieval_picture"] == after["retrieval_caption"] == 1.0
    assert metrics["picture_contrast"] < 0.2
    assert metrics["caption_contrast"] < 0.2
    assert metrics["next_token"] < 1.0
    assert after["validation_loss"] < 0.3 * before["validation_loss"]


def test_grouping_by_length_changes_nothing(batch: Batch) -> None:
    """Against one padded batch of all captions, one at a time for the next-token loss."""
    encoder: DualEncoder = new_state().module  # type: ignore[assignment]
    captions = [own[i % 4].text for i, own in enumerate(batch.captions)]
    with torch.no_grad():
        embeddings, token_loss = OBJECTIVE._read(encoder, captions)
        torch.testing.assert_close(embeddings, encoder.embed_captions(captions, 48), rtol=1e-4, atol=1e-5)
        losses = []
        rows = sorted(encoder.text.token_ids(captions, 48), key=len)
        for row in (rows[0], rows[2], rows[4], rows[5]):  # every second of the groups (0, 1), (2, 3), (4,), (5,)
            ids = torch.tensor([row])
            logits = encoder.text.next_token_logits(encoder.text.features(ids))
            losses.append(F.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="none"))
    torch.testing.assert_close(token_loss, torch.cat(losses).mean())


def test_contrast_of_unlike_pictures_is_cross_entropy_both_ways() -> None:
    a, b = F.normalize(torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    scale, own = torch.tensor([10.0]), torch.arange(5)
    expected = (F.cross_entropy(10 * a @ b.T, own) + F.cross_entropy(10 * b @ a.T, own)) / 2
    torch.testing.assert_close(contrast(a, b, torch.eye(5, dtype=torch.bool), scale), expected)


def test_the_same_concept_is_a_positive() -> None:
    """Two pictures of one thing with one vector: the least possible loss is log 2 for each of them, and is reached."""
    vectors = torch.eye(3)[[0, 0, 1]]
    concepts = torch.tensor([4, 4, 7])
    same = concepts[:, None] == concepts[None]
    expected = 2 / 3 * torch.tensor(2.0).log()
    torch.testing.assert_close(contrast(vectors, vectors, same, torch.tensor([100.0])), expected)


def test_a_caption_of_the_other_picture_of_the_same_thing_is_as_good() -> None:
    """Each of two pictures of one thing is nearest to the other's caption."""
    pictures, captions = torch.eye(3), torch.eye(3)[[1, 0, 2]]
    concepts = torch.tensor([4, 4, 7])
    same = concepts[:, None] == concepts[None]
    scale = torch.tensor([10.0])
    own = contrast(pictures, captions, torch.eye(3, dtype=torch.bool), scale)
    shared = contrast(pictures, captions, same, scale)
    torch.testing.assert_close(own - shared, torch.tensor(2 / 3 * 10 / 2))


def test_the_second_caption_is_in_another_language_where_there_is_one() -> None:
    english = CAPTIONS[0][:2]
    for seed in range(20):
        first, second = draw_captions([CAPTIONS[0], english, english[:1]], np.random.default_rng(seed))
        language = {caption.text: caption.language for caption in CAPTIONS[0]}
        assert {language[first[0]], language[second[0]]} == {"en", "zh"}
        assert first[1] != second[1]
        assert first[2] == second[2] == english[0].text


def test_padding_has_no_part_in_the_next_token_loss() -> None:
    logits = torch.zeros(2, 5, 7)
    logits[1, 3:] = torch.randn(2, 7, generator=torch.Generator().manual_seed(0))  # the padding of the second row
    loss = next_token_loss(logits, torch.ones(2, 5, dtype=torch.long), torch.tensor([5, 4]))
    torch.testing.assert_close(loss, (4 + 3) * torch.tensor(7.0).log())


def test_retrieval_counts_queries_that_find_their_own() -> None:
    gallery = torch.eye(4)
    queries = torch.cat([gallery, gallery[[0, 1, 3, 2]]])
    assert retrieval(queries, gallery) == 0.75


def test_the_first_of_each_concept() -> None:
    assert first_of_each(torch.tensor([3, 3, 1, 3, 2, 1])) == [0, 2, 4]


def test_the_draw_depends_on_the_step_alone(batch: Batch) -> None:
    one, other = new_state(lr=0.0), new_state(lr=0.0)
    other.step = 5
    losses = [OBJECTIVE.step(state, batch, Seeds(0))["loss"] for state in (one, one, other)]
    assert losses[0] == losses[1] != losses[2]
