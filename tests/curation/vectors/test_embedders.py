from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray
from PIL import Image
from torch import nn
from torch.nn import functional as F
from transformers import (
    BertTokenizer,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    Siglip2Config,
    Siglip2Model,
    Siglip2Tokenizer,
)
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import ChineseCLIPImageProcessorPil
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from mezzotint.curation.vectors.embedders import (
    DualEncoderEmbedder,
    EfficientNetEmbedder,
    Embedder,
    PictureEmbedder,
    load_published,
)
from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.models.text import TextConfig, TextTower, build, train_tokenizer
from mezzotint.models.vision import Preparation, patches_of
from mezzotint.perception.dual_encoder import DualEncoder, DualEncoderConfig
from mezzotint.perception.efficientnet import LITE0, EfficientNetLite

CPU = torch.device("cpu")
TEXTS = ["a red apple", "a dog"]
LAYERS = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 24}


def picture(width: int, height: int, seed: int, mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, len(mode)), np.uint8), mode)
    return small.resize((width, height), Image.Resampling.BICUBIC)


def randomized(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            near = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(near + 0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.fixture(scope="module")
def siglip2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("siglip2")
    characters = {character: 5 + i for i, character in enumerate("▁abcdefghijklmnopqrstuvwxyz")}
    names = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3, "<mask>": 4}
    config = Siglip2Config(
        text_config={**LAYERS, "vocab_size": 40, "max_position_embeddings": 64, "projection_size": 16},
        vision_config={**LAYERS, "patch_size": 4, "num_patches": 16},
    )
    randomized(Siglip2Model(config)).save_pretrained(folder)
    Siglip2ImageProcessorPil(patch_size=4, max_num_patches=20).save_pretrained(folder)
    Siglip2Tokenizer(vocab={**names, **characters}, merges=[]).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def chinese_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chinese-clip")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"一只红色苹果狗"]
    config = ChineseCLIPConfig(
        text_config={**LAYERS, "vocab_size": len(words), "max_position_embeddings": 64},
        vision_config={**LAYERS, "patch_size": 8, "image_size": 32},
        projection_dim=12,
    )
    randomized(ChineseCLIPModel(config)).save_pretrained(folder)
    square = {"height": 32, "width": 32}
    ChineseCLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=square).save_pretrained(folder)
    BertTokenizer(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
    return folder


def assert_units(vectors: ndarray, count: int, embedder: PictureEmbedder) -> None:
    assert vectors.shape == (count, embedder.width)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@torch.no_grad()
def test_siglip2_pictures_of_any_shape_are_those_of_the_network_alone(siglip2: Path) -> None:
    embedder = load_published(siglip2, CPU)
    assert isinstance(embedder, Embedder)
    pictures = [picture(30, 20, 0), picture(12, 40, 1), picture(16, 16, 2, "RGBA")]
    found = embedder.embed_pictures(pictures)
    assert_units(found, 3, embedder)
    model = Siglip2Model.from_pretrained(siglip2).eval()
    for row, each in zip(found[:2], pictures[:2], strict=True):
        patches, grid = patches_of(each, Preparation(patch_size=4, max_num_patches=20))
        seen = model.get_image_features(
            patches[None], torch.ones(1, len(patches), dtype=torch.int32), torch.tensor([grid])
        )
        np.testing.assert_allclose(row, F.normalize(seen.pooler_output)[0], atol=1e-5)


@torch.no_grad()
def test_siglip2_reads_64_tokens_in_lower_case_and_the_pads_too(siglip2: Path) -> None:
    embedder = load_published(siglip2, CPU)
    found = embedder.embed_texts(["a dog", "A DOG", "a" * 64, "a" * 90])
    assert_units(found, 4, embedder)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[2], found[3])
    model = Siglip2Model.from_pretrained(siglip2).eval()
    ids = [5 + "▁abcdefghijklmnopqrstuvwxyz".index(character) for character in "a▁dog"]
    padded = ids + [0] * (64 - len(ids))
    expected = F.normalize(model.get_text_features(torch.tensor([padded])).pooler_output)[0]
    assert np.abs(found[0] - expected.numpy()).max() < 1e-5


@torch.no_grad()
def test_chinese_clip_sees_the_middle_square(chinese_clip: Path) -> None:
    embedder = load_published(chinese_clip, CPU)
    wide = picture(64, 32, 0)
    found = embedder.embed_pictures([wide, wide.crop((16, 0, 48, 32))])
    assert_units(found, 2, embedder)
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    mean, std = torch.tensor([0.48145466, 0.4578275, 0.40821073]), torch.tensor([0.26862954, 0.26130258, 0.27577711])
    pixels = (torch.from_numpy(np.array(wide)[:, 16:48]) / 255 - mean) / std
    model = ChineseCLIPModel.from_pretrained(chinese_clip).eval()
    expected = F.normalize(model.get_image_features(pixels.permute(2, 0, 1)[None]).pooler_output)[0]
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


@torch.no_grad()
def test_chinese_clip_texts_do_not_depend_on_their_company(chinese_clip: Path) -> None:
    embedder = load_published(chinese_clip, CPU)
    found = embedder.embed_texts(["狗", "一只红色苹果", "苹果" * 25, "苹果" * 40])
    assert_units(found, 4, embedder)
    np.testing.assert_allclose(found[:1], embedder.embed_texts(["狗"]), atol=1e-5)
    np.testing.assert_array_equal(found[2], found[3])
    model = ChineseCLIPModel.from_pretrained(chinese_clip).eval()
    expected = model.get_text_features(torch.tensor([[2, 11, 3]])).pooler_output  # [CLS] 狗 [SEP]
    np.testing.assert_allclose(found[0], F.normalize(expected)[0], atol=1e-5)


def test_efficientnet_sees_cut_outs_on_white() -> None:
    torch.manual_seed(0)
    embedder = EfficientNetEmbedder(EfficientNetLite(LITE0), CPU)
    cut_out = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    white = Image.new("RGB", (50, 70), "white")
    found = embedder.embed_pictures([cut_out, white])
    assert_units(found, 2, embedder)
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    assert not isinstance(embedder, Embedder)


def test_the_dual_encoder_embeds_both() -> None:
    torch.manual_seed(0)
    measures = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = TextConfig(
        vocab_size=320,
        **measures,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=64,
        rms_norm_eps=1e-6,
        rope_theta=1e4,
    )
    config = DualEncoderConfig(picture_size=16, widths=(8, 12), norm_groups=4, embedding=10)
    encoder = DualEncoder(TextTower(build(text), train_tokenizer(TEXTS, text.vocab_size)), config)
    embedder = DualEncoderEmbedder(encoder, max_tokens=32)
    assert isinstance(embedder, Embedder)
    assert_units(embedder.embed_pictures([picture(16, 16, 0), picture(40, 30, 1)]), 2, embedder)
    found = embedder.embed_texts(TEXTS)
    assert_units(found, 2, embedder)
    with torch.no_grad():
        np.testing.assert_allclose(found, encoder.embed_captions(TEXTS, 32), atol=1e-6)


def test_what_is_no_such_model_is_said(siglip2: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no config\.json"):
        load_published(tmp_path, CPU)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="kind 'bert'"):
        load_published(tmp_path, CPU)
    (tmp_path / "config.json").write_bytes((siglip2 / "config.json").read_bytes())
    with pytest.raises(FileFormatError, match="cannot be read"):
        load_published(tmp_path, CPU)
