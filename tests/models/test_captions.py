import torch

from mezzotint.models.captions import Captions

CAPTIONS = Captions(torch.arange(12.0).view(6, 2), (1, 3, 2))


def test_can_be_chosen_in_any_order_and_twice() -> None:
    chosen = CAPTIONS.select([2, 0, 2])
    assert (len(chosen), chosen.lengths) == (3, (2, 1, 2))
    assert torch.equal(chosen.tokens, CAPTIONS.tokens[[4, 5, 0, 4, 5]])


def test_can_be_joined_again() -> None:
    joined = Captions.concat([CAPTIONS.select([i]) for i in range(3)])
    assert joined.lengths == CAPTIONS.lengths
    assert torch.equal(joined.tokens, CAPTIONS.tokens)
