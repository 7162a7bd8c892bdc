import torch
from torch import Tensor

from mezzotint.models.rotary import Rotary, cosines_and_sines, halves_to_pairs, pairs_to_halves, rotate

TOKENS, PAIRS = 5, 6


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_rotates_as_complex_numbers_do() -> None:
    angles, x = 3 * draw(TOKENS, PAIRS), draw(1, TOKENS, 2, 3, 2 * PAIRS, seed=1)
    turned = torch.view_as_complex(x.unflatten(-1, (-1, 2))) * torch.polar(torch.ones(()), angles)[:, None, None]
    expected = torch.view_as_real(turned).flatten(-2)

    rotary = Rotary(*(table[None, :, None, None] for table in cosines_and_sines(angles)))
    halves = pairs_to_halves(x.movedim(-1, 0), 1).movedim(0, -1)
    actual = halves_to_pairs(rotate(halves, rotary).movedim(-1, 0), 1).movedim(0, -1)
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=0)


def test_channel_orders_are_inverse_and_stay_in_their_head() -> None:
    channels = torch.arange(12)
    halves = pairs_to_halves(channels, 2)
    assert halves.tolist() == [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]
    assert torch.equal(halves_to_pairs(halves, 2), channels)


def test_the_products_of_turned_heads_depend_on_the_difference_of_positions_only() -> None:
    def turned(x: Tensor, position: float) -> Tensor:
        cos, sin = cosines_and_sines(position * draw(1, PAIRS, seed=2))
        return rotate(x, Rotary(cos[None, :, None, None], sin[None, :, None, None]))

    q, k = draw(1, 1, 1, 1, 2 * PAIRS), draw(1, 1, 1, 1, 2 * PAIRS, seed=1)
    near, far = (turned(q, start) * turned(k, start + 3) for start in (1, 40))
    torch.testing.assert_close(near.sum(), far.sum(), atol=1e-4, rtol=0)
