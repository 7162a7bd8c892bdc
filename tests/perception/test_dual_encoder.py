import pytest
import torch

from mezzotint.models.text import TextConfig, TextTower, build, train_tokenizer
from mezzotint.perception.dual_encoder import (
    FIRST_OWN_TOKEN,
    MINI,
    DualEncoder,
    DualEncoderConfig,
    PictureTower,
    init_weights,
)

CAPTIONS = ["a red apple", "two green apples and a dog on a long road", "一个红苹果"]
TEXT = TextConfig(
    vocab_size=320,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    max_position_embeddings=64,
    rms_norm_eps=1e-6,
    rope_theta=1e4,
)
TINY = DualEncoderConfig(picture_size=16, widths=(8, 12), norm_groups=4, embedding=10)


@pytest.fixture(scope="module")
def encoder() -> DualEncoder:
    torch.manual_seed(0)
    return DualEncoder(TextTower(build(TEXT), train_tokenizer(CAPTIONS, TEXT.vocab_size)), TINY)


@torch.no_grad()
def test_embeddings_are_unit_vectors(encoder: DualEncoder) -> None:
    pictures = torch.rand(3, 3, 40, 24, generator=torch.Generator().manual_seed(0))
    for embeddings in (encoder.embed_pictures(pictures), encoder.embed_captions(CAPTIONS, max_tokens=64)):
        assert embeddings.shape == (3, 10)
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


@torch.no_grad()
def test_a_captions_embedding_is_of_its_own_tokens_mean(encoder: DualEncoder) -> None:
    (features,) = encoder.text.encode(CAPTIONS[:1])
    mean = features[FIRST_OWN_TOKEN:].mean(0)
    expected = torch.nn.functional.normalize(encoder.text_out(mean), dim=0)  # a length makes no difference
    torch.testing.assert_close(encoder.embed_captions(CAPTIONS, max_tokens=64)[0], expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_template_before_the_prompt_is_not_its_own(encoder: DualEncoder) -> None:
    one, other = encoder.text.encode(CAPTIONS[:2])
    torch.testing.assert_close(one[:FIRST_OWN_TOKEN], other[:FIRST_OWN_TOKEN])
    assert not torch.allclose(one[FIRST_OWN_TOKEN], other[FIRST_OWN_TOKEN])


def test_the_scale_starts_at_clips_and_ends_at_100(encoder: DualEncoder) -> None:
    assert encoder.scale.item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        encoder.log_scale.add_(10)
        assert encoder.scale.item() == pytest.approx(100)
        encoder.log_scale.sub_(10)


@torch.no_grad()
def test_the_picture_tower_sees_where_things_are() -> None:
    tower = PictureTower(TINY)
    left = torch.zeros(1, 3, 16, 16)
    left[..., :8] = 1
    assert (tower(left) - tower(left.flip(3))).abs().max() > 0.01


@torch.no_grad()
def test_equal_generators_give_equal_weights(encoder: DualEncoder) -> None:
    init_weights(encoder, torch.Generator().manual_seed(1))
    first = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    init_weights(encoder, torch.Generator().manual_seed(1))
    for name, weight in encoder.state_dict().items():
        torch.testing.assert_close(weight, first[name], rtol=0, atol=0)


def test_the_minis_size() -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in PictureTower(MINI).parameters()) == 2_766_784
