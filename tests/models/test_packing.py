import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.models.packing import gather, patch_sizes, row_of_each, run, spread, starts

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@given(LENGTHS, st.randoms())
def test_sequences_are_found_wherever_they_are_packed(lengths: list[int], random: object) -> None:
    order = list(range(len(lengths)))
    random.shuffle(order)  # type: ignore[attr-defined]
    packed = [(i, place) for i in order for place in range(lengths[i])]

    begins = starts(lengths, order)
    assert [packed[begins[i]] for i in range(len(lengths))] == [(i, 0) for i in range(len(lengths))]
    assert row_of_each(lengths, order).tolist() == [i for i, _ in packed]
    batch = [(i, place) for i in range(len(lengths)) for place in range(lengths[i])]
    assert [batch[index] for index in gather(order, lengths)] == packed


def test_a_run_counts_on_from_its_start() -> None:
    assert run(3, 4).tolist() == [3, 4, 5, 6]


def test_sizes_are_counted_in_patches() -> None:
    assert patch_sizes(torch.zeros(2, 4, 8, 6), 4, 2) == ((4, 3), (4, 3))
    assert patch_sizes([torch.zeros(4, 8, 6), torch.zeros(4, 2, 2)], 4, 2) == ((4, 3), (1, 1))


@pytest.mark.parametrize("shape", [(3, 8, 8), (4, 7, 8), (4, 8, 7)], ids=["channels", "height", "width"])
def test_other_latents_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="4 channels and sides in multiples of 2 fit"):
        patch_sizes([torch.zeros(4, 8, 8), torch.zeros(shape)], 4, 2)


def test_rows_reach_their_tokens() -> None:
    per_row = torch.tensor([[1.0], [2.0]])
    rows = torch.tensor([[1, 1, 0]])
    assert spread(per_row, rows).tolist() == [[[2.0], [2.0], [1.0]]]
    assert spread(per_row, None).tolist() == [[[1.0]], [[2.0]]]  # for axis s to broadcast
    assert spread(per_row[:1], rows).tolist() == [[[1.0]]]  # one serves all
