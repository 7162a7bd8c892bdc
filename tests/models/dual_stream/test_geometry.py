import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.dual_stream.oracle import small_config
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.models.dual_stream.geometry import BatchGeometry, batch_geometry

CONFIG = small_config()
CLEAN = small_config(zero_cond_t=True)
CPU = torch.device("cpu")
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 4))
Size = tuple[int, int]


def labels(counts: list[int], offset: int = 0) -> Tensor:
    """(sequence, place) of every token, one sequence after another."""
    return torch.cat([torch.stack([torch.full((n,), i), offset + torch.arange(n)], 1) for i, n in enumerate(counts)])


def sequences(geometry: BatchGeometry, part: int) -> list[int]:
    """The length of each packed sequence in one stream."""
    return [group[part] for group in geometry.groups for _ in range(group[0])]


@given(st.lists(st.tuples(SIZES, st.lists(SIZES, max_size=2), st.integers(1, 4)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_each_sequence_holds_its_caption_its_picture_and_its_references(
    batch: list[tuple[Size, list[Size], int]],
) -> None:
    sizes, captions = tuple(size for size, _, _ in batch), tuple(length for _, _, length in batch)
    references = tuple(tuple(others) for _, others, _ in batch)
    geometry = batch_geometry(CLEAN, sizes, references, captions, CPU)
    own = [rows * columns for rows, columns in sizes]
    others = [sum(rows * columns for rows, columns in sizes) for sizes in references]

    # Run the labels of the embedded tokens through the network's moves.
    text, patches = labels(list(captions)), torch.cat([labels(own), labels(others, offset=100)])
    text = text if geometry.text.source is None else text[geometry.text.source]
    picture = patches if geometry.picture.source is None else patches[geometry.picture.source]

    words, pieces = text.split(sequences(geometry, 1)), picture.split(sequences(geometry, 2))
    assert sorted(int(sequence[0, 0]) for sequence in words) == list(range(len(batch)))
    for caption, tokens in zip(words, pieces, strict=True):
        i = int(caption[0, 0])
        assert caption.tolist() == [[i, place] for place in range(captions[i])]
        places = [*range(own[i]), *range(100, 100 + others[i])]
        assert tokens.tolist() == [[i, place] for place in places]
    kept = picture if geometry.patches is None else picture[geometry.patches]
    assert torch.equal(kept, labels(own))

    rows = geometry.picture.rows
    if rows is not None:
        expected = torch.where(picture[:, 1] < 100, picture[:, 0], len(batch))
        assert torch.equal(rows.flatten(), expected)
    else:
        assert len(geometry.groups) == 1
        assert not any(others)
    assert geometry.clean_row == (len(batch) if any(others) else None)


def test_alike_sequences_take_one_row_each_and_move_nothing() -> None:
    geometry = batch_geometry(CONFIG, ((4, 6),) * 3, ((),) * 3, (7,) * 3, CPU)
    assert geometry.groups == ((3, 7, 24),)
    assert geometry.text.source is geometry.picture.source is geometry.patches is geometry.patch_rows is None
    assert geometry.text.rows is geometry.picture.rows is geometry.clean_row is None
    assert geometry.text.rotary.cos.shape == (3, 7, 1, 1, CONFIG.head_dim)
    assert geometry.picture.rotary.cos.shape == (3, 24, 1, 1, CONFIG.head_dim)


def test_alike_sequences_are_neighbours() -> None:
    geometry = batch_geometry(CONFIG, ((4, 4),) * 4, ((), ((2, 2),), (), ()), (7, 5, 5, 7), CPU)
    assert geometry.groups == ((1, 5, 16), (1, 5, 20), (2, 7, 16))
    assert geometry.clean_row is None


def test_is_computed_once_even_when_first_asked_for_in_inference() -> None:
    arguments = (CONFIG, ((3, 5),), (((2, 2),),), (11,), CPU)
    with torch.inference_mode():
        first = batch_geometry(*arguments)
    assert batch_geometry(*arguments) is first
    assert not first.picture.rotary.cos.is_inference()


def test_refuses_an_empty_caption() -> None:
    with pytest.raises(InputError, match="caption 1 has no tokens"):
        batch_geometry(CONFIG, ((2, 2),) * 2, ((),) * 2, (5, 0), CPU)
