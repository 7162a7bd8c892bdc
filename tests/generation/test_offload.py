"""The same seed gives the same picture wherever the weights lie between their uses."""

from pathlib import Path

import pytest
import torch
from tests.generation.tiny_model import write_model
from tests.generation.tiny_qwen_image import write_qwen_image
from torch import Tensor, nn

from mezzotint.errors import InputError, OutputError
from mezzotint.generation.offload import Home, StreamCopies, Streaming, ThreadCopies, Turns, mapped_memory, top_blocks
from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.placement import OFFLOADS

CPU = torch.device("cpu")
WIDTH = 8


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh()) for _ in range(5))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.first(x)


def moved_out(network: Net, *, by_block: bool, device: torch.device = CPU) -> tuple[Net, Home]:
    with torch.device("meta"):
        empty = Net()
    home = Home(empty, torch.float32, device, by_block=by_block)
    empty.load_state_dict({name: home.put(name, weight) for name, weight in network.state_dict().items()}, assign=True)
    home.move_out(empty.requires_grad_(False))
    return empty, home


class TestTurns:
    @pytest.mark.parametrize("by_block", [False, True])
    def test_a_network_comes_and_goes(self, by_block: bool) -> None:
        network, x = Net(), torch.randn(3, WIDTH)
        away, home = moved_out(network, by_block=by_block)
        assert away.first.weight.shape == (WIDTH, WIDTH)
        assert away.first.weight.untyped_storage().nbytes() == 4
        turns = Turns(CPU)
        turns.invite(away, home, ["forward"], stays=False)
        with torch.inference_mode():
            for _ in range(3):
                assert torch.equal(away(x), network(x))
        assert away.first.weight.untyped_storage().nbytes() == 4

    def test_one_at_a_time(self) -> None:
        networks = [Net(), Net()]
        pairs = [moved_out(network, by_block=False) for network in networks]
        turns = Turns(CPU)
        for away, home in pairs:
            turns.invite(away, home, ["forward"], stays=True)
        (one, _), (other, _) = pairs
        x = torch.randn(1, WIDTH)
        for network, away in [*zip(networks, (one, other), strict=True)] * 2:
            assert torch.equal(away(x), network(x))
        assert one.first.weight.untyped_storage().nbytes() == 4 < other.first.weight.untyped_storage().nbytes()

    def test_blocks_in_any_order(self) -> None:
        """What comes next is guessed; a wrong guess costs time only."""
        network, x = Net(), torch.randn(2, WIDTH)
        away, home = moved_out(network, by_block=True)
        streaming = Streaming(home.units[1:], list(away.blocks), ThreadCopies())
        for order in ([0, 1, 2, 3, 4], [3, 1, 1, 4], [2], [3, 1, 1, 4]):
            streaming.begin()
            for number in order:
                assert torch.equal(away.blocks[number](x), network.blocks[number](x))
            streaming.end()

    def test_only_two_blocks_are_here(self) -> None:
        away, home = moved_out(Net(), by_block=True)
        streaming = Streaming(home.units[1:], list(away.blocks), ThreadCopies())
        streaming.begin()
        away.blocks[0](torch.zeros(1, WIDTH))
        assert sum(place.nbytes for place in streaming._places) == 2 * home.units[1].nbytes
        streaming.end()
        assert not streaming._places


@pytest.mark.gpu
class TestOnCuda:
    @pytest.mark.parametrize("by_block", [False, True])
    def test_a_network_comes_on_a_stream_of_its_own(self, by_block: bool) -> None:
        device = torch.device("cuda")
        network, x = Net().to(device), torch.randn(3, WIDTH, device=device)
        away, home = moved_out(network, by_block=by_block, device=device)
        assert all(unit.home.is_pinned() for unit in home.units if unit.nbytes)
        turns = Turns(device)
        assert isinstance(turns.copies, StreamCopies)
        turns.invite(away, home, ["forward"], stays=False)
        for _ in range(20):
            torch.testing.assert_close(away(x), network(x))


def test_memory_in_a_file_without_a_name(cache: Path) -> None:
    memory = mapped_memory(1000)
    memory.fill_(7)
    assert memory.sum() == 7000
    assert not list((cache / "offload").iterdir())
    assert mapped_memory(0).numel() == 0


def test_no_room_for_a_file(cache: Path) -> None:
    reason = "of weights into .*offload: {}; set MEZZOTINT_CACHE to a folder with room, or leave --offload out"
    with pytest.raises(OutputError, match=reason.format(".*")):
        mapped_memory(2**62)
    (cache / "offload").rmdir()
    cache.rmdir()
    cache.write_text("a file")
    with pytest.raises(OutputError, match=reason.format("Not a directory")):
        mapped_memory(1000)


def test_stacks_inside_a_block_stay_with_it() -> None:
    network = nn.Module()
    network.outer = nn.ModuleList([nn.ModuleList([nn.Linear(1, 1)]), nn.Linear(1, 1)])
    assert list(top_blocks(network)) == ["outer.0", "outer.1"]


@pytest.fixture(scope="module", params=["Z-Image", "Qwen-Image"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    write = write_model if request.param == "Z-Image" else write_qwen_image
    return write(tmp_path_factory.mktemp("model") / "tiny")


class TestPictures:
    @pytest.mark.parametrize("quantize", [None, "nf4"])
    def test_the_same_pictures(self, folder: Path, quantize: str | None) -> None:
        def latents(offload: str) -> Tensor:
            pipe = Pipeline.from_pretrained(folder, "cpu", "float32", quantize=quantize, offload=offload)
            assert (pipe.device, pipe.dtype) == (CPU, torch.float32)
            options = {"negative_prompt": "blue", "num_images_per_prompt": 2, "output_type": "pt"}
            first = pipe(["a red disc", "two blue boxes"], seed=1, **options).images
            assert torch.equal(pipe(["a red disc", "two blue boxes"], seed=1, **options).images, first)
            return first

        expected = latents("none")
        assert expected.std() > 0.03
        for offload in OFFLOADS:
            torch.testing.assert_close(latents(offload), expected, atol=1e-5, rtol=0)

    def test_an_unknown_offload(self, folder: Path) -> None:
        with pytest.raises(InputError, match="no offload 'disk': there are none, text-encoder, model, block"):
            Pipeline.from_pretrained(folder, "cpu", offload="disk")

    def test_compiled_code_wants_its_weights_in_one_place(self, folder: Path) -> None:
        with pytest.raises(InputError, match="offload block moves the transformer"):
            Pipeline.from_pretrained(folder, "cpu", offload="block", compile=True)
