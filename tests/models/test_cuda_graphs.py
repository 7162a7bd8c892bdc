import pytest
import torch
from torch import Tensor, nn

from mezzotint.models.cuda_graphs import Graphed

BLOCKS = nn.ModuleList([nn.Linear(8, 8, bias=False) for _ in range(3)])
NOTHING: dict[int, Tensor] = {}


class Counting:
    """A stack that counts how often it runs."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(
        self, blocks: nn.ModuleList, x: Tensor, gains: Tensor, layout: str, hints: dict[int, Tensor]
    ) -> Tensor:
        self.runs += 1
        for block in blocks:
            x = block(x).relu() * gains
        return x


@torch.inference_mode()
def test_a_processor_runs_everything() -> None:
    stack, x, gains = Counting(), torch.randn(5, 8), torch.rand(8)
    graphed = Graphed(stack)
    for _ in range(3):
        assert torch.equal(graphed(BLOCKS, x, gains, "layout", NOTHING), stack(BLOCKS, x, gains, "layout", NOTHING))
    assert stack.runs == 6


@pytest.mark.gpu
@torch.inference_mode()
def test_replays_are_the_runs_they_stand_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mezzotint.models.cuda_graphs.GAIN", 1e9)  # keep every recording
    blocks = nn.ModuleList([nn.Linear(8, 8, bias=False) for _ in range(3)]).cuda()
    stack = Counting()
    graphed = Graphed(stack)
    for length in (5, 9, 5):
        for _ in range(3):
            x, gains = torch.randn(length, 8, device="cuda"), torch.rand(8, device="cuda")
            found = graphed(blocks, x, gains, "layout", NOTHING)
            torch.testing.assert_close(found, Counting()(blocks, x, gains, "layout", NOTHING))
    runs = stack.runs
    graphed(blocks, x, gains, "layout", NOTHING)
    assert stack.runs == runs  # it was replayed


@pytest.mark.gpu
@torch.inference_mode()
def test_hints_are_run() -> None:
    blocks = nn.ModuleList([nn.Linear(8, 8, bias=False)]).cuda()
    stack, x, gains = Counting(), torch.randn(5, 8, device="cuda"), torch.rand(8, device="cuda")
    graphed = Graphed(stack)
    for _ in range(4):
        graphed(blocks, x, gains, "layout", {0: x})
    assert stack.runs == 4
