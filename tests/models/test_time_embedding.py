import torch
from diffusers.models.transformers.transformer_z_image import TimestepEmbedder

from mezzotint.models.time_embedding import TimeEmbedding, wave_frequencies

TIMES = torch.tensor([0.0, 1e-3, 0.5, 1.0, 372.5, 1000.0])


def test_frequencies_fall_geometrically_from_one() -> None:
    frequencies = wave_frequencies(128, torch.device("cpu"))
    ratios = frequencies[1:] / frequencies[:-1]
    assert frequencies[0] == 1.0
    torch.testing.assert_close(ratios, torch.full((127,), 10_000.0 ** (-1 / 128)), rtol=1e-5, atol=0)


def test_embeds_as_the_published_layer_does() -> None:
    theirs = TimestepEmbedder(24, mid_size=40)
    ours = TimeEmbedding(128, 40, 24)
    for mine, published in ((ours.hidden, theirs.mlp[0]), (ours.out, theirs.mlp[2])):
        mine.load_state_dict(published.state_dict())
    expected = theirs(TIMES)
    assert expected.std() > 0.05
    actual = ours(TIMES[:, None] * wave_frequencies(128, torch.device("cpu")))
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-6)


def test_waves_are_fp32_and_layers_are_not() -> None:
    """In bf16 the angle of t = 0.998 would be that of t = 1: nothing is rounded before the sinusoids."""
    embedding = TimeEmbedding(128, 40, 24).bfloat16()
    near, clean = embedding(torch.tensor([998.0, 1000.0])[:, None] * wave_frequencies(128, torch.device("cpu")))
    assert near.dtype == torch.bfloat16
    assert not torch.equal(near, clean)
