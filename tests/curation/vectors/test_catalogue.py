from pathlib import Path

import numpy as np
import pytest
from tests.recipes.conftest import corpus, towers  # noqa: F401
from tests.recipes.tiny_runs import options, train

from mezzotint.curation.vectors.catalogue import (
    identity,
    load_embedder,
    load_picture_embedder,
    load_text_embedder,
)
from mezzotint.curation.vectors.embedders import DualEncoderEmbedder, TextEmbedder
from mezzotint.errors import InputError, MissingFileError


def test_the_sentence_encoder_finds_a_text_in_another_language() -> None:
    embedder = load_text_embedder("sentences", "cpu")
    assert isinstance(embedder, TextEmbedder)
    english, chinese = (
        embedder.embed_texts(texts)
        for texts in (
            ["a red apple", "a dog in the snow", "a fast train"],
            ["一个红苹果", "雪地里的狗", "一列快速列车"],
        )
    )
    assert english.shape == (3, embedder.width)
    np.testing.assert_allclose(np.linalg.norm(english, axis=1), 1, atol=1e-3)
    assert (english @ chinese.T).argmax(1).tolist() == [0, 1, 2]


def test_a_trained_folder_is_opened_and_known_by_its_weights(
    corpus: Path,  # noqa: F811
    towers: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    folder = tmp_path / "clip"
    train("tiny-clip", options(corpus, tmp_path / "run", model=str(towers))).export(folder)
    embedder = load_picture_embedder(str(folder), "cpu")
    assert isinstance(embedder, DualEncoderEmbedder)
    assert load_text_embedder(str(folder), "cpu") is embedder
    assert embedder.embed_texts(["a red disc", "红色圆"]).shape == (2, embedder.width)
    before = identity(str(folder))
    weights = folder / "picture_encoder" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert before.startswith("clip ")
    assert identity(str(folder)) != before


def test_what_an_embedder_cannot_see_or_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reads texts only"):
        load_picture_embedder("sentences", "cpu")
    with pytest.raises(InputError, match="neither a folder nor one of efficientnet-lite0, sentences, mini-clip"):
        load_embedder("clip", "cpu")
    with pytest.raises(MissingFileError, match=r"no config\.json"):
        load_embedder(str(tmp_path), "cpu")
    assert identity("sentences") == "sentences"
