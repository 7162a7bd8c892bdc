from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.generation.tiny_model import write_model
from tests.generation.tiny_qwen_image import write_qwen_image

from mezzotint.errors import InputError
from mezzotint.generation.memory_plan import Outline, Plan, Workload, parse_memory, plan_memory
from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.placement import OFFLOADS, Placement
from mezzotint.generation.request import Request
from mezzotint.generation.tiling import TILE
from mezzotint.models.conversion import convert
from mezzotint.models.sources import as_sources, find_sources

CPU = torch.device("cpu")
WORK = Workload(width=64, height=64, pictures=1)


@pytest.mark.parametrize(("text", "expected"), [("8GB", 8 * 10**9), ("7.5 gib", 7.5 * 2**30), ("900MB", 9 * 10**8)])
def test_sizes(text: str, expected: float) -> None:
    assert parse_memory(text) == expected


@pytest.mark.parametrize("text", ["", "much", "8TB", "0GB", "-1GB"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(InputError, match="it must be like 8GB"):
        parse_memory(text)


@pytest.fixture(scope="module", params=[write_model, write_qwen_image], ids=["Z-Image", "Qwen-Image"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    write: Callable[[Path], Path] = request.param
    return write(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(autouse=True)
def nothing_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without libraries, so that networks of a megabyte are seen."""
    monkeypatch.setattr("mezzotint.generation.memory_plan.used_bytes", lambda device: 0)
    monkeypatch.setattr("mezzotint.generation.memory_plan.KEPT", 0)


def planned(folder: Path, **options: Any) -> Plan:
    return plan_memory(as_sources(folder), CPU, torch.bfloat16, WORK, **options)


class TestPlans:
    def test_exact_weights_where_there_is_room(self, folder: Path) -> None:
        plan = planned(folder)
        assert (plan.placement, plan.tile) == (Placement(), None)
        assert plan.fits

    def test_less_memory_is_met_by_less_on_the_device(self, folder: Path) -> None:
        """Every plan has room, and the next one begins where the last one had none."""
        planned(folder)  # tables that are kept for the process's life count at the first time only
        plans = [planned(folder)]

        def ever_less() -> None:
            while True:
                plans.append(planned(folder, memory=plans[-1].peak - 1))

        with pytest.raises(InputError, match="does not fit into"):
            ever_less()
        assert all(plan.fits for plan in plans)
        placements = [plan.placement for plan in plans]
        assert len(placements) >= 4
        assert placements[0] == Placement()
        assert len(set(placements)) == len(placements)

    def test_what_is_decided_stays(self, folder: Path) -> None:
        plan = planned(folder, quantize="nf4", offload="model")
        assert plan.placement == Placement(quantize="nf4", offload="model")
        with pytest.raises(InputError, match="another --quantize or --offload may do"):
            planned(folder, quantize="nf4", offload="none", memory=1000)
        with pytest.raises(InputError, match="a smaller picture may do"):
            planned(folder, memory=1000)

    def test_a_prompt_of_the_largest_length_has_a_plan(self, folder: Path) -> None:
        """Tokens are guessed before a tokenizer is there, and letters may be few tokens."""
        plan = plan_memory(as_sources(folder), CPU, torch.bfloat16, replace(WORK, tokens=10**6))
        assert plan.peak > planned(folder).peak

    @pytest.mark.parametrize("side", [0, 8, 24, 10**6])
    def test_no_plan_for_an_impossible_size(self, folder: Path, side: int) -> None:
        with pytest.raises(InputError, match=f"height is {side}; (it must be a multiple of 16|this model goes up to)"):
            plan_memory(as_sources(folder), CPU, torch.bfloat16, replace(WORK, height=side))

    def test_pictures_go_together_where_there_is_room(self, folder: Path) -> None:
        work = replace(WORK, pictures=6)
        together = plan_memory(as_sources(folder), CPU, torch.bfloat16, work)
        assert (together.placement, together.together) == (Placement(), 6)
        assert ", 6 pictures at a time" in str(together)
        planned(folder)  # tables that are kept for the process's life count at the first time only
        one = planned(folder)
        memory = (one.peak + together.peak) // 2
        alone = plan_memory(as_sources(folder), CPU, torch.bfloat16, work, memory=memory)
        assert (alone.placement, alone.together, alone.tile) == (Placement(), 1, None)
        assert alone.peak == one.peak

    def test_a_compiled_transformer_stays(self, folder: Path) -> None:
        """In the code of a processor its weights stand once more, unless they are quantised."""
        work = replace(WORK, compiled=True)
        plan, plain = plan_memory(as_sources(folder), CPU, torch.bfloat16, work), planned(folder)
        weights = Outline(as_sources(folder), CPU, torch.bfloat16, work, None).bytes_of("transformer", False)
        assert plan.phases["a step"] == plain.phases["a step"] + weights
        while True:
            assert not plan.placement.transformer_leaves
            try:
                plan = plan_memory(as_sources(folder), CPU, torch.bfloat16, work, memory=plan.peak - 1)
            except InputError:
                break
        assert plan.placement.quantize is not None

    def test_it_says_what_it_is(self, folder: Path) -> None:
        text = str(planned(folder, quantize="int8", offload="block", memory=10**9))
        assert text.startswith("plan: int8, offload block: 0.0")
        assert text.endswith("of 1.00 GB")


class TestOutlines:
    def outline(self, folder: Path, quantize: str | None = None, work: Workload = WORK) -> Outline:
        return Outline(as_sources(folder), CPU, torch.bfloat16, work, quantize)

    @pytest.mark.parametrize("quantize", [None, "int8", "fp8-dynamic", "int4", "svdquant"])
    def test_the_weights_are_those_that_are_loaded(self, folder: Path, quantize: str | None) -> None:
        outline = self.outline(folder, quantize)
        pipe = Pipeline.from_pretrained(folder, "cpu", "bfloat16", quantize=quantize)
        for name, network in (
            ("transformer", pipe.transformer),
            ("text_encoder", pipe.text),
            ("vae", pipe.autoencoder),
        ):
            loaded = {key: (tensor.shape, tensor.dtype) for key, tensor in network.state_dict().items()}
            shapes = {key: (x.shape, x.dtype) for key, x in outline.networks[name].state_dict().items()}
            assert shapes == loaded
            assert outline.bytes_of(name, False) == sum(x.nbytes for x in network.state_dict().values())

    def test_every_offload_takes_less(self, folder: Path) -> None:
        outline = self.outline(folder)
        phases = [outline.phases(Placement(offload=offload), 1, None) for offload in OFFLOADS]
        weights = [phase["a step"] - outline.step(1) for phase in phases]
        assert weights == sorted(weights, reverse=True)
        assert weights[-1] < weights[0]

    def test_more_pictures_take_more(self, folder: Path) -> None:
        outline = self.outline(folder)
        assert 2 * outline.step(1) < outline.step(4)
        assert 2 * outline.decoding(1, None) < outline.decoding(4, None)

    def test_tiles_take_less(self, folder: Path) -> None:
        outline = self.outline(folder, work=Workload(width=1024, height=1024))
        assert outline.decoding(1, TILE) < 0.7 * outline.decoding(1, None)


def test_a_file_s_own_blocks(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny")
    convert(folder, tmp_path / "x.gguf", "transformer", "gguf", "q8_0")
    plan = plan_memory(find_sources(tmp_path / "x.gguf", base=folder), CPU, torch.bfloat16, WORK, quantize="gguf")
    assert plan.placement.quantize == "gguf"
    for memory in (None, "8GB"):
        with pytest.raises(InputError, match="tiny has no quantised blocks: quantise gguf is for GGUF files"):
            Pipeline.from_pretrained(folder, "cpu", quantize="gguf", memory=memory)


def test_a_file_without_blocks_is_quantised(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny")
    convert(folder, tmp_path / "x.gguf", "transformer", "gguf", "bfloat16")
    sources = find_sources(tmp_path / "x.gguf", base=folder)
    exact = plan_memory(sources, CPU, torch.bfloat16, WORK, offload="none")
    fewer = plan_memory(sources, CPU, torch.bfloat16, WORK, offload="none", memory=exact.peak - 1)
    assert fewer.placement.quantize == "int8"


def three_pictures(pipe: Pipeline) -> Request:
    return Request(prompts=("a red disc",), negatives=("",), seed=0, count=3, settings=pipe.defaults)


def test_the_pipeline_follows_it(folder: Path) -> None:
    plans: list[Plan] = []
    pipe = Pipeline.from_pretrained(folder, "cpu", "float32", memory="8GB", offload="block", on_plan=plans.append)
    (plan,) = plans
    assert pipe.placement == plan.placement == Placement(offload="block")
    assert pipe("a red disc", seed=0).images
    alone = Pipeline.from_pretrained(folder, "cpu", "float32", memory="8GB", workload=WORK)
    request = three_pictures(alone)
    parts = [len(jobs) for jobs, _ in alone.sample(request, alone.task(request))]
    assert parts == [1, 1, 1]
    with pytest.raises(InputError, match=r"does not fit into 0\.00 GB"):
        Pipeline.from_pretrained(folder, "cpu", "float32", memory="1MB", offload="none", quantize="int8")
