import numpy as np
import torch
from tests.training.objectives.test_text import CAPTIONS, Batch, batch, new_state  # noqa: F401

from mezzotint.runtime.seeds import Seeds
from mezzotint.training.objectives.clip import PictureTextContrast, captions_in

OBJECTIVE = PictureTextContrast(across_weight=0.25, max_tokens=48, languages=("en", "zh"))


def test_overfits_one_batch(batch: Batch) -> None:  # noqa: F811
    state, rng = new_state(), Seeds(0)
    before = OBJECTIVE.validate(state, [batch], rng)
    for _ in range(60):
        metrics = OBJECTIVE.step(state, batch, rng)
        state.step += 1
    after = OBJECTIVE.validate(state, [batch], rng)
    assert before["retrieval_en"] < 0.7
    assert after["retrieval_en"] == after["retrieval_zh"] == 1.0
    torch.testing.assert_close(after["chance"], torch.tensor(1 / len(batch)))
    assert metrics["picture_contrast"] < 0.2
    assert metrics["caption_contrast"] < 0.2
    assert after["validation_loss"] < 0.3 * before["validation_loss"]


def test_the_draw_depends_on_the_step_alone(batch: Batch) -> None:  # noqa: F811
    one, other = new_state(lr=0.0), new_state(lr=0.0)
    other.step = 5
    losses = [OBJECTIVE.step(state, batch, Seeds(0))["loss"] for state in (one, one, other)]
    assert losses[0] == losses[1] != losses[2]


def test_a_language_is_asked_of_the_pictures_that_have_it(batch: Batch) -> None:  # noqa: F811
    english = [caption for caption in CAPTIONS[1] if caption.language == "en"]
    own = [CAPTIONS[0], tuple(english), CAPTIONS[2]]
    captions, asked = captions_in("zh", own, np.random.default_rng(0))
    assert asked.tolist() == [True, False, True]
    chinese = [{caption.text for caption in own[place] if caption.language == "zh"} for place in (0, 2)]
    assert [text in texts for text, texts in zip(captions, chinese, strict=True)] == [True, True]
    state = new_state()
    for _ in range(60):
        OBJECTIVE.step(state, batch, Seeds(0))
        state.step += 1
    mixed = Batch(batch.pictures, [CAPTIONS[0], tuple(english), *CAPTIONS[2:]], batch.concepts)
    found = OBJECTIVE.validate(state, [mixed], Seeds(0))
    assert found["retrieval_zh"] == 1.0
