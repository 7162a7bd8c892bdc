from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.single_stream.oracle import small_config

from mezzotint.errors import InputError
from mezzotint.models.single_stream.geometry import batch_geometry, caption_geometry, padded

CONFIG = small_config()
CPU = torch.device("cpu")
SIZES = st.tuples(st.integers(1, 10), st.integers(1, 10))


@given(st.lists(st.tuples(SIZES, st.sampled_from([32, 64, 96])), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_joint_sequences_hold_each_picture_then_its_caption(batch: list[tuple[tuple[int, int], int]]) -> None:
    sizes, captions = tuple(size for size, _ in batch), tuple(caption for _, caption in batch)
    geometry = batch_geometry(CONFIG, sizes, captions, CPU)
    counts = [rows * columns for rows, columns in sizes]

    # Label each embedded patch by (sequence, place) and run the labels through the network's moves.
    patches = torch.cat([torch.stack([torch.full((n,), i), torch.arange(n)], 1) for i, n in enumerate(counts)])
    caption_labels = torch.cat(
        [torch.stack([torch.full((n,), i), 1000 + torch.arange(n)], 1) for i, n in enumerate(captions)]
    )
    packed = patches
    if geometry.filling is not None:
        packed = torch.where(geometry.filling.is_pad, -1, patches[geometry.filling.source])
    joint = torch.cat([packed, caption_labels])[geometry.join]

    assert len(joint) == sum(padded(n) + c for n, c in zip(counts, captions, strict=True))  # no batch padding
    assert torch.equal(joint[geometry.patches], patches)
    lengths = [length for count, length in geometry.joint.groups for _ in range(count)]
    assert lengths == sorted(padded(n) + c for n, c in zip(counts, captions, strict=True))
    for sequence in joint.split(lengths):
        assert sequence[0, 1] == 0  # the first patch of a picture
        index = int(sequence[0, 0])
        picture, caption = sequence[: padded(counts[index])], sequence[padded(counts[index]) :]
        assert picture[: counts[index], 1].tolist() == list(range(counts[index]))
        assert (picture[counts[index] :] == -1).all()
        assert (caption[:, 0] == index).all()
        assert caption[:, 1].tolist() == [1000 + i for i in range(captions[index])]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_captions_come_back_in_the_order_they_came(lengths: list[int]) -> None:
    geometry = caption_geometry(CONFIG, tuple(lengths), CPU)
    labels = torch.cat([torch.stack([torch.full((n,), i), torch.arange(n)], 1) for i, n in enumerate(lengths)])
    packed = labels
    if geometry.filling is not None:
        packed = torch.where(geometry.filling.is_pad, -1, labels[geometry.filling.source])
    restored = packed if geometry.restore is None else packed[geometry.restore]
    for index, (n, tokens) in enumerate(zip(lengths, restored.split([padded(n) for n in lengths]), strict=True)):
        assert (tokens[:n, 0] == index).all()
        assert tokens[:n, 1].tolist() == list(range(n))
        assert (tokens[n:] == -1).all()


def test_equal_sequences_take_one_row_each_and_move_nothing() -> None:
    geometry = batch_geometry(CONFIG, ((8, 8),) * 3, (32,) * 3, CPU)
    assert geometry.filling is None
    assert geometry.joint.groups == ((3, 96),)
    assert geometry.joint.rotary.cos.shape == (3, 96, 1, 1, CONFIG.head_dim)
    assert geometry.joint.rows is None
    assert caption_geometry(CONFIG, (32, 32), CPU)[1:] == (None, None)


def test_unequal_sequences_share_one_row() -> None:
    geometry = batch_geometry(CONFIG, ((8, 8), (4, 8), (8, 8)), (32,) * 3, CPU)
    assert geometry.joint.groups == ((1, 64), (2, 96))
    assert geometry.joint.rows is not None
    assert geometry.joint.rows[0].tolist() == [1] * 64 + [0] * 96 + [2] * 96


def test_is_computed_once_even_when_first_asked_for_in_inference() -> None:
    with torch.inference_mode():
        first = batch_geometry(CONFIG, ((6, 10),), (64,), CPU)
    assert batch_geometry(CONFIG, ((6, 10),), (64,), CPU) is first
    assert not first.joint.rotary.cos.is_inference()


@pytest.mark.parametrize(
    ("sizes", "captions", "axis"),
    [(((33, 1),), (32,), "row"), (((1, 33),), (32,), "column"), (((1, 1),), (256,), "order")],
)
def test_refuses_positions_beyond_the_tables(
    sizes: tuple[tuple[int, int], ...], captions: tuple[int, ...], axis: str
) -> None:
    with pytest.raises(InputError, match=axis):
        batch_geometry(CONFIG, sizes, captions, CPU)


def test_refuses_an_empty_caption() -> None:
    with pytest.raises(InputError, match="caption 1 has no tokens"):
        caption_geometry(CONFIG, (5, 0), CPU)


def test_parts_are_lengthened_to_multiples_of_32_and_nothing_is_pads_alone() -> None:
    assert [padded(length) for length in (0, 1, 31, 32, 33)] == [32, 32, 32, 32, 64]


def test_captions_up_to_the_released_table() -> None:
    """1,504 tokens, and the picture behind them, are what 1,536 places hold."""
    config = replace(CONFIG, axes_lens=(1536, 512, 512))
    batch_geometry(config, ((4, 4),), (1504,), CPU)
    caption_geometry(config, (1504,), CPU)
    with pytest.raises(InputError, match="a shorter prompt or a smaller picture would do"):
        batch_geometry(config, ((4, 4),), (1536,), CPU)
