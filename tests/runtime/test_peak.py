import torch
import torch.nn.functional as F
from torch import nn

from mezzotint.runtime.peak import peak_bytes

MEGABYTE = 10**6
X = torch.empty(500, 500, device="meta")  # a megabyte


def test_what_lives_at_one_time() -> None:
    assert peak_bytes(lambda: X + 1) == MEGABYTE
    assert peak_bytes(lambda: ((X + 1) * 2).relu_().sum()) == 2 * MEGABYTE
    assert peak_bytes(lambda: [X + i for i in range(5)]) == 5 * MEGABYTE
    assert peak_bytes(lambda: X.T.reshape(-1)[:10].clone()) == MEGABYTE + 40


def test_views_and_what_was_there_cost_nothing() -> None:
    assert peak_bytes(lambda: X.view(-1)[3:].view(1, -1)) == 0


def test_attention_does_not_write_its_scores() -> None:
    q = torch.empty(1, 2, 5000, 25, device="meta")
    assert peak_bytes(lambda: F.scaled_dot_product_attention(q, q, q)) == MEGABYTE


def test_convolutions_reorder() -> None:
    with torch.device("meta"):
        layer = nn.Conv2d(1, 1, 3, padding=1)
    assert peak_bytes(lambda: layer(X[None, None])) == MEGABYTE
    assert peak_bytes(lambda: layer(X[None, None]), reordered=True) == 3 * MEGABYTE
